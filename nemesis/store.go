package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

// openStore opens a store by the name that fdbelect has for it: file:PATH or fdb:CLUSTERFILE.
func openStore(name string) (kv.Database, io.Closer, error) {
	scheme, rest, _ := strings.Cut(name, ":")
	switch scheme {
	case "file":
		db, err := filekv.Open(rest, filekv.Options{MustExist: true})
		return db, db, err
	case "fdb":
		return openFoundationDB(rest)
	default:
		return nil, nil, fmt.Errorf("%q is not a store: use file:PATH or fdb:CLUSTERFILE", name)
	}
}
