package kvtest

import (
	"context"

	"github.com/fdbelection/fdbelection/kv"
)

// contentsBatch is how many rows Contents reads at a time.
const contentsBatch = 1000

// Contents returns every user key of a database with its value, so that a test
// can compare what is there before it and after it. It reads batch by batch, each
// in a transaction of its own: nothing else may write meanwhile, and all of it has
// to fit into memory.
func Contents(ctx context.Context, db kv.Database) (map[string]string, error) {
	contents := make(map[string]string)
	begin := []byte{}
	for {
		rows, err := kv.ReadTransact(ctx, db, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
			return tr.Snapshot().GetRange(begin, []byte{0xff}, kv.RangeOptions{Limit: contentsBatch}).Get()
		})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			contents[string(row.Key)] = string(row.Value)
		}
		if len(rows) < contentsBatch {
			return contents, nil
		}
		begin = append([]byte(nil), rows[len(rows)-1].Key...)
		begin = append(begin, 0)
	}
}
