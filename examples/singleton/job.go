package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var (
	jobElection = election.New(subspace.New("indexer", "election"))
	data        = subspace.New("indexer", "data")
	cursorKey   = data.Sub("cursor").Bytes() // the number of documents that are done
)

func indexKey(n int) []byte {
	return subspace.AppendInt(data.Sub("index").Bytes(), int64(n))
}

// job indexes documents in one process at a time. The cursor is in the database.
type job struct {
	db        kv.Database
	documents int
	begin     func(ctx context.Context, term uint64, document int) error // before each document
}

// work continues where the last leader stopped. It is for Elector.Run.
func (j *job) work(ctx context.Context, lead *elector.Leadership) error {
	// This read begins after the claim. So it sees all that earlier leaders have written, and
	// the fence refuses what they write later. No later transaction has to read the cursor.
	done, err := kv.ReadTransact(ctx, j.db, readCursor)
	if err != nil {
		return err
	}
	for ; done < j.documents; done++ {
		if err := j.begin(ctx, lead.Term(), done+1); err != nil {
			return err // ctx has ended, between two documents
		}
		// The lease outlasts ctx, so a document that has begun can be finished.
		if err := j.index(lead, done+1); err != nil {
			return err
		}
	}
	return elector.ErrDone // this process leaves, and each one that leads after it does so too
}

// index writes the entry of a document and moves the cursor, both or none. If the result is not
// known, the work fails, and the next tenure reads the cursor.
func (j *job) index(lead *elector.Leadership, document int) error {
	return lead.Transact(lead.LeaseContext(), func(tr kv.Transaction) error {
		tr.Set(indexKey(document), strconv.AppendUint(nil, lead.Term(), 10))
		tr.Set(cursorKey, strconv.AppendInt(nil, int64(document), 10))
		return nil
	})
}

func readCursor(tr kv.ReadTransaction) (int, error) {
	value, err := tr.Get(cursorKey).Get()
	if err != nil || value == nil {
		return 0, err
	}
	cursor, err := strconv.Atoi(string(value))
	if err != nil {
		return 0, fmt.Errorf("the cursor is damaged: %w", err)
	}
	return cursor, nil
}
