// Command fdbelect is the command of cmd/fdbelect, with FoundationDB as one more store. See
// fdbelect --help.
package main

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/fdbelection/fdbelection/cmd/fdbelect-fdb/internal/spec"
	"github.com/fdbelection/fdbelection/cmd/fdbelect-fdb/internal/store"
	"github.com/fdbelection/fdbelection/cmd/internal/cli"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/kv"
)

func main() { os.Exit(cli.Main(foundationDB)) }

// foundationDB is the store of --store fdb:.
var foundationDB = session.Store{
	Scheme: "fdb",
	Open: func(ctx context.Context, rest string, timeout time.Duration) (kv.Database, io.Closer, error) {
		db, err := store.Open(ctx, rest, timeout)
		if err != nil {
			return nil, nil, err
		}
		return db, db, nil
	},
	Usage:     spec.Wrong,
	Permanent: store.Permanent,
	Versions:  store.Versions,
}
