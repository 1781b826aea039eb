module github.com/fdbelection/fdbelection/nemesis

go 1.26.0

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/fdbelection/fdbelection v0.0.0
	github.com/fdbelection/fdbelection/kv/fdbkv v0.0.0
	github.com/google/uuid v1.6.0
	github.com/spf13/cobra v1.10.2
	github.com/stretchr/testify v1.12.1
	golang.org/x/sys v0.49.0
)

require (
	github.com/apple/foundationdb/bindings/go v0.0.0-20260629183922-51e1c42eb9a8 // indirect
	github.com/inconshreveable/mousetrap v1.1.0 // indirect
	github.com/spf13/pflag v1.0.10 // indirect
	github.com/tidwall/btree v1.8.2 // indirect
	go.etcd.io/bbolt v1.5.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace (
	github.com/fdbelection/fdbelection => ../
	github.com/fdbelection/fdbelection/kv/fdbkv => ../kv/fdbkv
)
