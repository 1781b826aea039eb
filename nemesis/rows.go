package main

import (
	"bytes"
	"context"
	"strings"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// The election is the default one of fdbelect.
const (
	rootName     = "fdbelection"
	electionName = "default"
)

var (
	electionSpace = subspace.New(rootName, electionName)
	theElection   = election.New(electionSpace)
	rowSpace      = subspace.New("nemesis", "rows")    // number: the row
	writerSpace   = subspace.New("nemesis", "writers") // writer: the number of its last write, and the row of that
	probeKey      = []byte("nemesis probe")
)

// row is one fenced write, as it is stored. All leaders append to one list.
type row struct {
	Row    int64
	Term   uint64
	Newest uint64 // the newest term that the transaction saw
	Writer string
	Number int64 // of a write of this writer
}

// padding makes rows so long that a full disk shows soon. The store stays small, because each process
// that opens it checks all of it, and blocks the others meanwhile.
var padding = bytes.Repeat([]byte{'.'}, 300)

// appendRow appends a row and returns its number. The transaction must be fenced, and may run
// again after an unknown result.
func appendRow(tr kv.Transaction, term uint64, writer string, number int64) (int64, error) {
	last, err := writerSpace.Pack(subspace.Tuple{subspace.String(writer)})
	if err != nil {
		return 0, err
	}
	value, err := tr.Get(last).Get()
	if err != nil {
		return 0, err
	}
	if r := subspace.NewReader(value); value != nil && r.Int64() == number {
		at := r.Int64()
		return at, r.Err()
	}
	leader, err := theElection.GetLeaderRaw(tr)
	if err != nil {
		return 0, err
	}
	begin, end := rowSpace.Range()
	rows, err := tr.GetRange(begin, end, kv.RangeOptions{Limit: 1, Reverse: true}).Get()
	if err != nil {
		return 0, err
	}
	at := int64(1)
	if len(rows) > 0 {
		r := rowSpace.Reader(rows[0].Key)
		at = r.Int64() + 1
	}
	key, err := rowSpace.Pack(subspace.Tuple{subspace.Int(at)})
	if err != nil {
		return 0, err
	}
	value = subspace.AppendUint(nil, term)
	value = subspace.AppendUint(value, leader.Term)
	value = subspace.AppendString(value, writer)
	value = subspace.AppendInt(value, number)
	tr.Set(key, append(value, subspace.AppendString(nil, string(padding))...))
	tr.Set(last, subspace.AppendInt(subspace.AppendInt(nil, number), at))
	return at, nil
}

// readRows reads all rows, in order.
func readRows(ctx context.Context, db kv.Database) ([]row, error) {
	var all []row
	begin, end := rowSpace.Range()
	for {
		page, err := kv.ReadTransact(ctx, db, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
			return tr.GetRange(begin, end, kv.RangeOptions{Limit: 1000}).Get()
		})
		if err != nil || len(page) == 0 {
			return all, err
		}
		for _, kv := range page {
			key, value := rowSpace.Reader(kv.Key), subspace.NewReader(kv.Value)
			r := row{Row: key.Int64(), Term: value.Uint64(), Newest: value.Uint64(), Writer: strings.Clone(value.Text()), Number: value.Int64()}
			if err := key.Err(); err != nil {
				return nil, err
			}
			if err := value.Err(); err != nil {
				return nil, err
			}
			all = append(all, r)
		}
		begin = append(bytes.Clone(page[len(page)-1].Key), 0)
	}
}
