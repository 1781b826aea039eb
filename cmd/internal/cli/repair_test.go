package cli_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// TestCancel: cancel removes any request, and names it.
func TestCancel(t *testing.T) {
	for name, test := range map[string]struct {
		asked func(d *desk)
		says  []string
	}{
		"nothing": {func(*desk) {}, []string{"there is no request; nothing was changed"}},
		"a request": {func(d *desk) {
			d.does(func(tr kv.Transaction) error { return d.RequestResign(tr, 1, uuid.New()) })
		}, []string{"removed: resign in term 1"}},
		"a challenge": {func(d *desk) {
			high := d.member("high")
			high.Priority = 9
			d.does(func(tr kv.Transaction) error {
				c, err := d.ReadConfig(tr)
				c.MinimumTenure, c.PreemptDelay = 0, 0
				if err == nil {
					_, err = d.WriteConfig(tr, c)
				}
				return err
			})
			d.does(func(tr kv.Transaction) error { return d.RegisterCandidate(tr, high, time.Now()) })
			for range 2 { // the first one only looks
				d.does(func(tr kv.Transaction) error { _, err := d.RunElectionCycle(tr, high, time.Now()); return err })
			}
			require.Equal(d.t, election.PreemptionRequest, d.state().Request.Kind)
		}, []string{"removed: challenge by high#", "a challenger that runs repeats its request"}},
		"one that is damaged": {func(d *desk) { d.spoil(rubbish, "intent") }, []string{"removed a request that could not be read: ", "intent at key", "truncated"}},
		"one that is newer":   {func(d *desk) { d.spoil(newer, "intent") }, []string{"removed a request that could not be read: ", "newer format"}},
		"one beside a damaged config": {func(d *desk) {
			d.spoil(rubbish, "intent")
			d.spoil(rubbish, "config")
			d.lose("leader")
		}, []string{"removed a request that could not be read: "}},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.made()
			test.asked(d)
			d.twice = true
			o := d.runs("cancel")
			require.Zero(t, o.Code, o.Stderr)
			for _, want := range test.says {
				require.Contains(t, o.Stdout, want)
			}
			require.NotContains(t, o.Stdout, "\x1b")
			intent, err := kv.ReadTransact(t.Context(), d.Database, d.ReadRequest)
			require.NoError(t, err)
			require.Equal(t, election.NoRequest, intent.Kind)
			o = d.runs("cancel")
			require.Zero(t, o.Code, o.Stderr)
			require.Contains(t, o.Stdout, "there is no request")
		})
	}
}

// broken creates an election with a leader and one damaged record of each kind that repair
// can repair.
func broken(d *desk) {
	d.t.Helper()
	d.made()
	d.spoil(rubbish, "intent")
	d.spoil(rubbish, "term")
	d.spoil(rubbish, "candidates", "evil")
	d.does(func(tr kv.Transaction) error {
		begin, end := d.Subspace().Sub("rank").Range()
		tr.ClearRange(begin, end)
		return nil
	})
}

// TestRepair: repair repairs damaged records. A dry run reports the same and changes
// nothing.
func TestRepair(t *testing.T) {
	d := newDesk(t)
	o := d.runs("repair")
	require.Equal(t, 1, o.Code, o.Stdout)
	require.Contains(t, o.Stderr, "there is no election default")
	broken(d)
	require.Equal(t, 1, d.runs("status").Code)
	before := everything(t, d.Database)
	dry := d.runs("repair", "--dry-run")
	require.Zero(t, dry.Code, dry.Stderr)
	require.Equal(t, before, everything(t, d.Database))
	require.Contains(t, dry.Stdout, "dry run: nothing was written")
	require.NotContains(t, dry.Stdout, "\x1b")

	d.twice = true
	o = d.runs("repair")
	require.Zero(t, o.Code, o.Stderr)
	for _, want := range []string{
		`(?m)^intent +removed +`, `(?m)^term +written from the leader record +`, `(?m)^candidate +removed +`, `(?m)^rank +written from its candidate +`,
	} {
		require.Regexp(t, want, o.Stdout)
		require.Regexp(t, want, dry.Stdout)
	}
	o = d.runs("repair")
	require.Zero(t, o.Code, o.Stderr)
	require.Contains(t, o.Stdout, "nothing to repair")
	require.Zero(t, d.runs("status").Code)
	require.Equal(t, "leader", d.state().Leader.ID, "it leads on")
}

// TestRepairNamesWhatItDoesNotChange: records that repair does not change are named, with what to do
// about them.
func TestRepairNamesWhatItDoesNotChange(t *testing.T) {
	d := newDesk(t)
	d.made()
	d.spoil(newer, "intent")
	d.spoil(rubbish, "config")
	d.spoil(rubbish, "candidates", "evil")
	o := d.runs("repair", "-o", "json")
	require.Equal(t, 1, o.Code, o.Stdout)
	require.Contains(t, o.Stderr, "fdbelect config set --defaults")
	require.Contains(t, o.Stderr, "a newer program wrote it")
	var shown struct {
		DryRun  bool `json:"dry_run"`
		Repairs []struct{ Record, Key, Problem, Done string }
	}
	require.NoError(t, json.Unmarshal([]byte(o.Stdout), &shown))
	require.Len(t, shown.Repairs, 3)
	for _, r := range shown.Repairs {
		require.Equal(t, r.Record == "candidate", r.Done != "", "%+v", r)
		require.NotEmpty(t, r.Problem)
		require.NotEmpty(t, r.Key)
	}
}

// TestRepairBesideANewerLeaderRecord: a leader record of a newer version is not changed,
// so --force is not needed, and the other records are repaired.
func TestRepairBesideANewerLeaderRecord(t *testing.T) {
	d := newDesk(t)
	d.made()
	d.spoil(newer, "leader")
	d.spoil(rubbish, "candidates", "evil")
	o := d.runs("repair")
	require.Equal(t, 1, o.Code, o.Stdout)
	require.NotContains(t, o.Stderr, "--force")
	require.Contains(t, o.Stderr, "a newer program wrote it")
	require.Regexp(t, `(?m)^candidate +removed `, o.Stdout)
	require.Regexp(t, `(?m)^leader +not changed `, o.Stdout)
}

// TestRepairOfTheLeaderRecord: a leader record is repaired only with --force: the process
// that it named may still lead.
func TestRepairOfTheLeaderRecord(t *testing.T) {
	d := newDesk(t)
	d.made()
	d.lose("leader")
	before := everything(t, d.Database)
	dry := d.runs("repair", "--dry-run")
	require.Equal(t, 1, dry.Code, dry.Stdout)
	require.Regexp(t, `(?m)^leader +made vacant by the term record +`, dry.Stdout)
	o := d.runs("repair")
	require.Equal(t, 1, o.Code, o.Stdout)
	require.Contains(t, o.Stderr, "make sure that every process is stopped, and add --force")
	require.Equal(t, before, everything(t, d.Database))
	o = d.runs("repair", "--force")
	require.Zero(t, o.Code, o.Stderr)
	require.True(t, d.state().Leader.Vacant())
	require.Zero(t, d.runs("status").Code)
}
