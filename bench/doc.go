// Package bench compares groups and elections with those of other systems, on the same machine
// and in the same run. It is a module of its own, since the other systems are heavy. CI checks its
// go.mod and does not compile it: `make bench-groups` does.
package bench
