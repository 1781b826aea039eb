package main

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var (
	tenants = group.New(subspace.New("meters", "group"))
	journal = subspace.New("meters", "journal")
)

// create makes the group and its shards. It is safe to call it in every process.
func create(ctx context.Context, db kv.Database, shards ...string) error {
	return db.Transact(ctx, func(tr kv.Transaction) error {
		if _, err := tenants.Initialize(tr, group.ConfigWithLease(2*time.Second)); err != nil {
			return err
		}
		_, err := tenants.CreateShards(tr, shards, time.Now())
		return err
	})
}

// worker writes the journals of the shards that its member leads.
type worker struct {
	*member.Member
	db kv.Database
}

func newWorker(db kv.Database, options member.Options) (*worker, error) {
	m, err := member.New(db, tenants, options)
	return &worker{Member: m, db: db}, err
}

// work writes the journal of one shard. Member.Run calls it in a goroutine for each shard.
func (w *worker) work(ctx context.Context, shard *member.Shard) error {
	// This read begins after the claim, so it sees all rows of earlier tenures.
	rows, err := readJournal(ctx, w.db, shard.Name())
	if err != nil {
		return err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for n := len(rows); ctx.Err() == nil; n++ {
		// The fence is that of the shard. The lease outlasts ctx, so that a row can be finished.
		err := shard.Transact(shard.LeaseContext(), func(tr kv.Transaction) error {
			tr.Set(rowKey(shard.Name(), n), fmt.Appendf(nil, "%d %s", shard.Term(), w.ID()))
			return nil
		})
		if err != nil {
			return err // the shard is released. If this row is there all the same, the next tenure reads it
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return nil
}

func rowKey(shard string, n int) []byte {
	return subspace.AppendInt(journal.Sub(shard).Bytes(), int64(n))
}

// row is a row of a journal.
type row struct {
	term uint64
	id   string
}

// readJournal returns the rows of a shard. It fails if one is missing, or if one was written by an
// earlier leader than the row before.
func readJournal(ctx context.Context, db kv.Database, shard string) ([]row, error) {
	pairs, err := kv.ReadTransact(ctx, db, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
		begin, end := journal.Sub(shard).Range()
		return tr.GetRange(begin, end, kv.RangeOptions{}).Get()
	})
	if err != nil {
		return nil, err
	}
	var rows []row
	for n, pair := range pairs {
		var r row
		if _, err := fmt.Sscan(string(pair.Value), &r.term, &r.id); err != nil {
			return nil, fmt.Errorf("row %d of %s is damaged: %w", n, shard, err)
		}
		if !bytes.Equal(pair.Key, rowKey(shard, n)) {
			return nil, fmt.Errorf("row %d of %s is missing", n, shard)
		}
		if n > 0 && r.term < rows[n-1].term {
			return nil, fmt.Errorf("row %d of %s is of term %d, after term %d", n, shard, r.term, rows[n-1].term)
		}
		rows = append(rows, r)
	}
	return rows, nil
}
