package fdbkv

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// TestContextKeepsNoTransaction: a long-lived context does not keep the transactions that
// were bound to it in memory, however they ended.
func TestContextKeepsNoTransaction(t *testing.T) {
	db, err := Open("", Options{}) // TestMain needs $FDB_CLUSTER_FILE
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	failed := errors.New("of no use")
	for name, run := range map[string]func(keep func(tr kv.ReadTransaction)) error{
		"committed": func(keep func(tr kv.ReadTransaction)) error {
			return db.Transact(ctx, func(tr kv.Transaction) error {
				keep(tr)
				_, err := tr.Get([]byte("k")).Get()
				return err
			})
		},
		"failed": func(keep func(tr kv.ReadTransaction)) error {
			err := db.Transact(ctx, func(tr kv.Transaction) error {
				keep(tr)
				tr.Watch([]byte("k"))
				return failed
			})
			if errors.Is(err, failed) {
				return nil
			}
			return err
		},
		"read": func(keep func(tr kv.ReadTransaction)) error {
			return db.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
				keep(tr)
				_, err := tr.GetReadVersion().Get()
				return err
			})
		},
		"cancelled": func(keep func(tr kv.ReadTransaction)) error {
			tr, err := db.CreateTransaction(ctx)
			if err != nil {
				return err
			}
			keep(tr)
			tr.Reset()
			tr.Cancel()
			return nil
		},
		"committed and not cancelled": func(keep func(tr kv.ReadTransaction)) error {
			tr, err := db.CreateTransaction(ctx)
			if err != nil {
				return err
			}
			keep(tr)
			return tr.Commit()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var kept weak.Pointer[ownedTransaction]
			require.NoError(t, run(func(tr kv.ReadTransaction) { kept = weak.Make(tr.(*ownedTransaction)) }))
			require.Eventually(t, func() bool {
				runtime.GC()
				return kept.Value() == nil
			}, 20*time.Second, time.Millisecond)
		})
	}
}
