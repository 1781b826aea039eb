//go:build unix

package filekv_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

func Example() {
	dir, err := os.MkdirTemp("", "filekv")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, path := context.Background(), filepath.Join(dir, "store")

	_, err = filekv.Open(path, filekv.Options{MustExist: true})
	fmt.Println("existed:", !errors.Is(err, fs.ErrNotExist))

	db, err := filekv.Open(path, filekv.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = db.Close() }()
	err = db.Transact(ctx, func(tr kv.Transaction) error {
		tr.Set([]byte("greeting"), []byte("hello"))
		return nil
	})
	fmt.Println("written:", kv.OutcomeOf(err))

	value, err := kv.ReadTransact(ctx, db, func(tr kv.ReadTransaction) ([]byte, error) {
		return tr.Get([]byte("greeting")).Get()
	})
	fmt.Println("read:", string(value), err)
	// Output:
	// existed: false
	// written: committed
	// read: hello <nil>
}
