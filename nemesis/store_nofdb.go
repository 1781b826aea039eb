//go:build !fdb

package main

import (
	"errors"
	"io"

	"github.com/fdbelection/fdbelection/kv"
)

func openFoundationDB(string) (kv.Database, io.Closer, error) {
	return nil, nil, errors.New("this program was built without FoundationDB: build it with -tags fdb")
}
