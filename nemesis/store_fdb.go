//go:build fdb

package main

import (
	"io"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

func openFoundationDB(clusterFile string) (kv.Database, io.Closer, error) {
	db, err := fdbkv.Open(clusterFile, fdbkv.Options{})
	return db, db, err
}
