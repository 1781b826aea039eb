package cli_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// candidates returns the ids of the candidates of the desk's election.
func (d *desk) candidates() (ids []string) {
	d.t.Helper()
	candidates, err := kv.ReadTransact(d.t.Context(), d.Database, d.ListCandidates)
	require.NoError(d.t, err)
	for i := range candidates {
		ids = append(ids, candidates[i].ID)
	}
	return ids
}

// TestUnregisterSparesANewLeader: a candidate that becomes the leader after it was watched
// stays, although its own record did not change.
func TestUnregisterSparesANewLeader(t *testing.T) {
	d := newDesk(t)
	_, other := d.made()
	d.hurries()
	leader := d.state().Leader
	d.before = func() {
		d.before = nil
		d.does(func(tr kv.Transaction) error { return d.ResignLeadership(tr, leader.Token(), time.Now()) })
		d.does(func(tr kv.Transaction) error {
			_, err := d.TryClaimLeadership(tr, other.Identity, time.Now())
			return err
		})
	}
	o := d.runs("unregister", "other")
	require.Equal(t, 1, o.Code, o.Stdout)
	require.Contains(t, o.Stderr, other.Identity.String()+" holds leadership")
	require.Contains(t, d.candidates(), "other")
	require.Equal(t, "other", d.state().Leader.ID)
}

// TestEvictDoesNotReportACandidateThatCameBack: a candidate sends a heartbeat between two
// attempts of the eviction. It stays, and the command does not report it as evicted.
func TestEvictDoesNotReportACandidateThatCameBack(t *testing.T) {
	d := newDesk(t)
	_, other := d.made()
	silent := d.member("silent")
	d.does(func(tr kv.Transaction) error { return d.RegisterCandidate(tr, silent, time.Now()) })
	d.hurries()
	d.conflict = func() {
		d.does(func(tr kv.Transaction) error {
			return d.HeartbeatCandidate(tr, election.Registration{Identity: other.Identity}, time.Now())
		})
	}
	o := d.runs("evict")
	require.Zero(t, o.Code, o.Stderr)
	require.Contains(t, o.Stdout, "evicted silent#")
	require.NotContains(t, o.Stdout, "other")
	require.ElementsMatch(t, []string{"leader", "other"}, d.candidates())
}
