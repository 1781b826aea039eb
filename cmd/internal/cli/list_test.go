package cli

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestListGoesOnPageByPage: list continues after a page of elections, and after a page of
// other names.
func TestListGoesOnPageByPage(t *testing.T) {
	db := memkv.New(memkv.Options{})
	var want []string
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		want = nil
		for i := range 2*pageSize + 1 {
			name := fmt.Sprintf("a%03d", i)
			want = append(want, name)
			if _, err := election.New(subspace.New("fdbelection", name)).Initialize(tr); err != nil {
				return err
			}
		}
		for i := range pageReads + 1 { // of the application
			tr.Set(subspace.New("fdbelection", fmt.Sprintf("b%03d", i)).Bytes(), nil)
		}
		want = append(want, "last")
		_, err := election.New(subspace.New("fdbelection", "last")).Initialize(tr)
		return err
	}))
	stdout, stderr, err := execOn(t.Context(), elector.SystemClock(), db, "list", "-o", "json")
	require.NoError(t, err, stderr)
	var list []struct{ Election string }
	require.NoError(t, json.Unmarshal([]byte(stdout), &list))
	var got []string
	for _, l := range list {
		got = append(got, l.Election)
	}
	require.Equal(t, want, got)
}
