package memkv

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// TestCommitCopiesItsArguments checks that the caller may reuse the memory of
// a commit once it has returned.
func TestCommitCopiesItsArguments(t *testing.T) {
	opts := newTestClock().options()
	opts.KeepLog = true
	db := New(opts)
	s := &session{client: db.Client, db: db}
	memory := map[string][]byte{}
	keep := func(text string) []byte {
		memory[text] = []byte(text)
		return memory[text]
	}
	readVersion := db.Version()
	_, err := s.Commit(t.Context(), &client.Commit{
		ReadVersion:    readVersion,
		ReadConflicts:  []Range{{Begin: keep("read"), End: keep("reae")}},
		WriteConflicts: []Range{{Begin: keep("key"), End: keep("key\x00")}, {Begin: keep("m"), End: keep("n")}},
		Mutations: []Mutation{
			{Kind: MutationSet, Key: memory["key"], Value: keep("value")},
			{Kind: MutationClearRange, Key: memory["m"], Value: memory["n"]},
			{Kind: MutationStampedValue, Key: keep("stamped"), Value: keep("..........")},
		},
	})
	require.NoError(t, err)
	log := db.CommitLog()[0]
	for _, bytes := range memory {
		for i := range bytes {
			bytes[i] = 'x'
		}
	}
	tr := begin(t, db)
	require.Equal(t, "value", mustGet(t, tr, "key"))
	require.NotEqual(t, "(none)", mustGet(t, tr, "stamped"))
	require.Len(t, contents(t, db), 2)
	require.Equal(t, "read", string(log.ReadConflicts[0].Begin))
	require.Equal(t, "key", string(log.WriteConflicts[0].Begin))
	require.Equal(t, "key", string(log.Mutations[0].Key))
	require.Equal(t, "value", string(log.Mutations[0].Value))
	for _, conflicting := range []Range{pointRange([]byte("key")), {Begin: []byte("m"), End: []byte("mm")}} {
		_, err = s.Commit(t.Context(), &client.Commit{
			ReadVersion: readVersion, ReadConflicts: []Range{conflicting},
			WriteConflicts: []Range{pointRange([]byte("z"))},
		})
		require.ErrorIs(t, err, errNotCommitted, "%s", conflicting.Begin)
	}
}
