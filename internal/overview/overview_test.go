package overview_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/overview"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

var root = subspace.New("root")

// newReader returns a reader that reads each time.
func newReader(db kv.Database, limit int) *overview.Reader {
	return overview.NewReader(db, root, overview.Options{
		Limit: limit, Timeout: time.Minute, MaxAge: 0, Logger: slog.New(slog.DiscardHandler), Clock: elector.SystemClock(),
	})
}

func initialize(t *testing.T, db kv.Database, names ...string) {
	t.Helper()
	for _, name := range names {
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			_, err := election.New(root.Sub(name)).Initialize(tr)
			return err
		}))
	}
}

// A read of elections that are known is one wave of reads in one transaction. Names that are
// not elections do not change that.
func TestOneWaveOfReads(t *testing.T) {
	db := memkv.New(memkv.Options{})
	for i := range 50 {
		initialize(t, db, fmt.Sprintf("e%02d", i))
	}
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		tr.Set(root.Sub("other", "thing").Bytes(), nil)
		tr.Set(root.Sub("config").Bytes(), nil) // reserved
		return nil
	}))
	r := newReader(db, 1000)
	require.Len(t, r.Read().Elections, 50)
	before := db.Counters()
	require.Len(t, r.Read().Elections, 50)
	cost := db.Counters().Sub(before)
	require.EqualValues(t, 1, cost.Transactions)
	require.EqualValues(t, 2, cost.ReadWaves, "the reserved name costs another one")

	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		tr.Clear(root.Sub("config").Bytes())
		return nil
	}))
	before = db.Counters()
	require.Len(t, r.Read().Elections, 50)
	require.EqualValues(t, 1, db.Counters().Sub(before).ReadWaves)
}

// away is a store that fails after a number of transactions.
type away struct {
	kv.Database
	left int
}

func (a *away) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	if a.left--; a.left < 0 {
		return errors.New("the disk is on fire")
	}
	return a.Database.ReadTransact(ctx, fn)
}

// The names stay known if a read fails, at whatever page. To find thousands of names again one
// after the other may take longer than the time limit.
func TestNamesSurviveAFailure(t *testing.T) {
	db := memkv.New(memkv.Options{})
	for i := range 250 {
		initialize(t, db, fmt.Sprintf("e%03d", i))
	}
	store := &away{db, 3}
	r := newReader(store, 1000)
	require.Len(t, r.Read().Elections, 250)
	for fails := range 3 {
		store.left = fails
		require.Error(t, r.Read().Err)
		store.left = 3
		before := db.Counters()
		require.Len(t, r.Read().Elections, 250)
		require.EqualValues(t, 3, db.Counters().Sub(before).ReadWaves, "one for each page")
	}
}

// A reader finds elections that appear and disappear, on any page, whatever it knew before.
func TestNamesThatChange(t *testing.T) {
	db := memkv.New(memkv.Options{})
	var want []string
	change := func(add bool, names ...string) {
		t.Helper()
		for _, name := range names {
			if add {
				initialize(t, db, name)
				want = append(want, name)
				continue
			}
			require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
				begin, end := root.Sub(name).Range()
				tr.ClearRange(begin, end)
				return nil
			}))
			want = slices.DeleteFunc(want, func(n string) bool { return n == name })
		}
		slices.Sort(want)
	}
	many := func(prefix string, n int) (names []string) {
		for i := range n {
			names = append(names, fmt.Sprintf("%s%03d", prefix, i))
		}
		return names
	}
	r := newReader(db, 1000)
	check := func() {
		t.Helper()
		var got []string
		reading := r.Read()
		require.NoError(t, reading.Err)
		for i := range reading.Elections {
			got = append(got, reading.Elections[i].Name)
		}
		require.Equal(t, strings.Join(want, " "), strings.Join(got, " "))
	}
	check()
	change(true, "m")
	check()
	change(true, many("b", 150)...)
	check()
	change(true, "a", "b0005", "b099a", "c", "z")
	check()
	change(false, "b000", "b099", "b100", "b149", "m")
	check()
	change(true, many("a", 120)...)
	check()
	change(false, many("a", 120)...)
	change(false, "a")
	check()
	change(false, slices.Clone(want)...)
	check()
}
