package below_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/below"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Names finds each name once, however many keys it has, and skips what is not a name.
func TestNames(t *testing.T) {
	db, root := memkv.New(memkv.Options{}), subspace.New("root")
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		for _, path := range [][]string{{"a", "x"}, {"a", "y"}, {"b"}, {"leader"}, {"a\x00b", "x"}, {"é"}} {
			tr.Set(root.Sub(path...).Bytes(), nil)
		}
		tr.Set(append(root.Bytes(), 0x02, 'n', 'o'), nil) // a text that does not end
		tr.Set(append(root.Bytes(), 0x15, 1), nil)        // a number
		tr.Set(subspace.New("root2", "c").Bytes(), nil)
		return nil
	}))
	var names []string
	require.NoError(t, db.ReadTransact(t.Context(), func(tr kv.ReadTransaction) error {
		names = nil
		for n := below.NewNames(root); ; {
			name, more, err := n.Next(tr)
			if err != nil || !more {
				return err
			}
			if name != "" {
				names = append(names, name)
			}
		}
	}))
	require.Equal(t, []string{"a", "a\x00b", "b", "é"}, names)
}
