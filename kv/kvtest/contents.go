package kvtest

import (
	"context"

	"github.com/fdbelection/fdbelection/kv"
)

// contentsBatch is the number of rows that Contents reads at a time.
const contentsBatch = 1000

// Contents returns all user keys of a database with their values, so that a test
// can compare the data before and after. It reads each batch in a new transaction,
// so nothing may write meanwhile, and all data must fit into memory.
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
