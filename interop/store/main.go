// Command store writes the keys and values of a file store, and applies the operations of a program
// in another language to it:
//
//	store dump FILE > dump.jsonl
//	store apply FILE < operations.jsonl
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/fdbelection/fdbelection/interop"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "store:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) != 2 || args[0] != "dump" && args[0] != "apply" {
		return errors.New("usage: store dump FILE, or store apply FILE")
	}
	db, err := filekv.Open(args[1], filekv.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // a commit is durable before
	if args[0] == "dump" {
		dump, err := kv.ReadTransact(ctx, db, interop.Dump)
		if err != nil {
			return err
		}
		_, err = out.Write(dump)
		return err
	}
	operations, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	return db.Transact(ctx, func(tr kv.Transaction) error { return interop.Apply(tr, operations) })
}
