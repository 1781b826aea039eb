package kvtest_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/kvtest"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

func TestContents(t *testing.T) {
	for _, n := range []int{0, 1, 999, 1000, 1001, 2500} {
		db, want := memkv.New(memkv.Options{}), map[string]string{}
		for i := range n {
			want[fmt.Sprintf("%04d", i)] = fmt.Sprint(i)
		}
		if n > 1 {
			want[""], want["\xfe\xff"] = "first", "last"
		}
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			for key, value := range want {
				tr.Set([]byte(key), []byte(value))
			}
			return nil
		}))
		got, err := kvtest.Contents(t.Context(), db)
		require.NoError(t, err)
		require.Equal(t, want, got, n)
	}
}
