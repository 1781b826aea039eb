package kvtest

import (
	"bytes"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// FoundationDB's limits, in bytes.
const (
	keyLimit   = 10_000
	valueLimit = 100_000
)

// limitCases cover size limits. Writes return no error, so the next read and the
// commit fail.
var limitCases = []Case{
	{
		Name:  "Limits/LargestKey",
		Shows: "a key of 10,000 bytes can be stored",
		run: func(t *env) {
			key := t.longKey(keyLimit)
			tr := t.begin()
			tr.Set(key, []byte("v"))
			t.commit(tr)
			value, err := t.begin().Get(key).Get()
			require.NoError(t, err)
			require.Equal(t, "v", string(value))
		},
	},
	tooLarge("Limits/KeyTooLarge", "a key of 10,001 bytes fails with 2102", kv.CodeKeyTooLarge,
		func(t *env, tr kv.Transaction) { tr.Set(t.longKey(keyLimit+1), []byte("v")) }),
	{
		Name:  "Limits/LargestValue",
		Shows: "a value of 100,000 bytes can be stored",
		run: func(t *env) {
			value := bytes.Repeat([]byte("v"), valueLimit)
			tr := t.begin()
			tr.Set(t.key("k"), value)
			t.commit(tr)
			require.Equal(t, string(value), t.stored("k"))
		},
	},
	tooLarge("Limits/ValueTooLarge", "a value of 100,001 bytes fails with 2103", kv.CodeValueTooLarge,
		func(t *env, tr kv.Transaction) { tr.Set(t.key("k"), make([]byte, valueLimit+1)) }),
	{
		Name:  "Limits/LargeTransaction",
		Shows: "a transaction of 9 million bytes commits",
		run: func(t *env) {
			tr := t.begin()
			t.setMany(tr, 90)
			t.commit(tr)
			rows, err := t.begin().GetRange(t.key("m"), t.key("n"), forwards).Get()
			require.NoError(t, err)
			require.Len(t, rows, 90)
		},
	},
	{
		Name:  "Limits/TransactionTooLarge",
		Shows: "a transaction of more than 10 million bytes fails with 2101 at its commit, but not before, and writes nothing",
		run: func(t *env) {
			tr := t.begin()
			t.setMany(tr, 102)
			require.Equal(t, absent, t.get(tr, "k"))
			err := tr.Commit()
			t.fails(err, kv.CodeTransactionTooLarge, "Commit")
			require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err))
			require.Equal(t, err, tr.OnError(err), "2101 is not retried")
			require.Empty(t, t.storedAll())
		},
	},
	{
		Name:  "Limits/ConflictRangesCount",
		Shows: "conflict ranges count towards the transaction size",
		run: func(t *env) {
			tr := t.begin()
			tr.Set(t.key("k"), []byte("v"))
			for i := range 600 {
				key := t.longKey(keyLimit - 100)
				require.NoError(t, tr.AddReadConflictKey(fmt.Appendf(key, "%03d", i)))
			}
			t.commitFails(tr, kv.CodeTransactionTooLarge)
		},
	},
}

// tooLarge returns a case for an invalid write.
func tooLarge(name, shows string, code int, write func(t *env, tr kv.Transaction)) Case {
	return Case{
		Name:  name,
		Shows: shows + " at the next read and at the commit, and nothing is written",
		run: func(t *env) {
			tr := t.begin()
			tr.Set(t.key("neighbour"), []byte("v"))
			write(t, tr)
			t.getFails(tr, "other", code)
			t.commitFails(tr, code)

			runs := 0
			err := t.Transact(t.ctx, func(tr kv.Transaction) error {
				runs++
				tr.Set(t.key("neighbour"), []byte("v"))
				write(t, tr)
				return nil
			})
			t.fails(err, code, "Transact")
			require.Equal(t, 1, runs, "it is not retried")
			require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err))
			require.Empty(t, t.storedAll())
		},
	}
}

// longKey returns a key of size bytes, including the prefix.
func (t *env) longKey(size int) []byte {
	key := t.key("long")
	return append(key, bytes.Repeat([]byte("k"), size-len(key))...)
}

// setMany sets n keys with values of 99,000 bytes.
func (t *env) setMany(tr kv.Transaction, n int) {
	value := bytes.Repeat([]byte("v"), 99_000)
	for i := range n {
		tr.Set(t.key(fmt.Sprintf("m%03d", i)), value)
	}
}
