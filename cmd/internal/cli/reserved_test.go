package cli_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestReservedNames: the names of the records of an election are refused as names of
// elections: such an election would be inside of another one.
func TestReservedNames(t *testing.T) {
	for _, name := range []string{"config", "leader", "term", "intent", "candidates", "rank", "history", "notice"} {
		d := newDesk(t)
		d.made()
		before := everything(t, d.Database)
		for line := range steering {
			if line == "list" {
				continue
			}
			o := d.runs(append(words(line), "--root", "x/main", "--election", name)...)
			require.Equal(t, 2, o.Code, "%s: %s", line, o.Stdout)
			require.Contains(t, o.Stderr, "--election "+name+" is reserved: an election stores its own records under that name")
			require.Contains(t, o.Stderr, "choose another name")
		}
		o := d.runs("run", "--id", "a", "--election", name)
		require.Equal(t, 2, o.Code, o.Stderr)
		t.Setenv("FDBELECT_ELECTION", name)
		require.Equal(t, 2, d.runs("status").Code)
		require.Equal(t, before, everything(t, d.Database))
		t.Setenv("FDBELECT_ELECTION", "default")
	}
}

// TestListBelowAnElection: list skips the records of an election whose path is the root. A
// candidate whose id is the name of a record does not make it an election.
func TestListBelowAnElection(t *testing.T) {
	d := newDesk(t)
	d.made()
	d.does(func(tr kv.Transaction) error {
		return d.RegisterCandidate(tr, d.member("config"), time.Now())
	})
	inner := election.New(subspace.New("fdbelection", "default", "inner"))
	d.does(func(tr kv.Transaction) error { _, err := inner.Initialize(tr); return err })
	o := d.runs("list", "--root", "fdbelection/default")
	require.Zero(t, o.Code, o.Stderr)
	require.Contains(t, o.Stdout, "inner")
	require.NotContains(t, o.Stdout, "candidates  ")
}

// TestSharedKeys: init and run refuse an election that would share keys with another one,
// and say what to do.
func TestSharedKeys(t *testing.T) {
	d := newDesk(t)
	nested := election.New(subspace.New("fdbelection", "default", "candidates"))
	d.does(func(tr kv.Transaction) error { _, err := nested.Initialize(tr); return err })
	before := everything(t, d.Database)
	for _, args := range [][]string{{"init"}, {"run", "--id", "a"}} {
		o := d.runs(args...)
		require.Equal(t, 1, o.Code, o.Stderr)
		require.Contains(t, o.Stderr, fdbelection.ErrSharedKeys.Error())
		require.Contains(t, o.Stderr, "choose another --election or --root")
		require.Equal(t, before, everything(t, d.Database))
	}
}
