package machine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// TestTheEarliestDeadlineCounts: an attempt counts from before its commit starts until it is
// known not to be committed, or a later one was acknowledged.
func TestTheEarliestDeadlineCounts(t *testing.T) {
	short := testConfig()
	short.LeaseDuration = 5 * time.Second // the end deadline is after 4.5 s
	for _, c := range []struct {
		name     string
		outcomes []kv.Outcome // of attempts with the short lease, at 3 s
		want     time.Duration
	}{
		{"none", nil, 9 * time.Second},
		{"acknowledged", []kv.Outcome{kv.Committed}, 7500 * time.Millisecond},
		{"not committed", []kv.Outcome{kv.NotCommitted}, 9 * time.Second},
		{"unknown result", []kv.Outcome{kv.UnknownResult}, 7500 * time.Millisecond},
		{"unsettled", []kv.Outcome{kv.Unsettled}, 7500 * time.Millisecond},
		{"one of two failed", []kv.Outcome{kv.Unsettled, kv.NotCommitted}, 7500 * time.Millisecond},
		{"both failed", []kv.Outcome{kv.NotCommitted, kv.NotCommitted}, 9 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t).elect().pass(heartbeat)
			op := r.op(ElectionCycle)
			for i, outcome := range c.outcomes {
				r.step(CommitStarting{Op: op.ID, Attempt: i, Start: r.now().Local, Lease: short.LeaseDuration, Config: short})
				require.Equal(t, 7500*time.Millisecond, r.m.Deadlines().End.Sub(localEpoch), "it counts before its commit starts")
				r.step(CommitDone{Op: op.ID, Attempt: i, Outcome: outcome})
			}
			require.Equal(t, c.want, r.m.Deadlines().End.Sub(localEpoch))
		})
	}
}

// TestACopyKeepsItsOwnAttempts: a machine is a value.
func TestACopyKeepsItsOwnAttempts(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	op := r.op(ElectionCycle).ID
	issue := func(m Machine, attempt int, lease time.Duration) Machine {
		m, _ = step(m, CommitStarting{Op: op, Attempt: attempt, Start: r.now().Local, Lease: lease, Config: r.config}, r.now())
		return m
	}
	m := r.m
	for i := range 3 {
		m = issue(m, i, 10*time.Second)
	}
	one, other := issue(m, 3, 5*time.Second), issue(m, 3, 6*time.Second)
	require.Equal(t, 7500*time.Millisecond, one.Deadlines().End.Sub(localEpoch))
	require.Equal(t, 8400*time.Millisecond, other.Deadlines().End.Sub(localEpoch))
	failed, _ := step(one, CommitDone{Op: op, Attempt: 0, Outcome: kv.NotCommitted}, r.now())
	for i := range 3 {
		failed, _ = step(failed, CommitDone{Op: op, Attempt: i, Outcome: kv.NotCommitted}, r.now())
	}
	require.Equal(t, 7500*time.Millisecond, failed.Deadlines().End.Sub(localEpoch))
	one, _ = step(one, CommitDone{Op: op, Attempt: 3, Outcome: kv.NotCommitted}, r.now())
	require.Equal(t, 9*time.Second, one.Deadlines().End.Sub(localEpoch))
}

// TestAnAcknowledgedRenewal: unknown attempts before it do not count any more.
func TestAnAcknowledgedRenewal(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	op := r.op(ElectionCycle)
	short := testConfig()
	short.LeaseDuration = 5 * time.Second
	r.step(CommitStarting{Op: op.ID, Attempt: 1, Start: r.now().Local, Lease: short.LeaseDuration, Config: short})
	r.step(CommitDone{Op: op.ID, Attempt: 1, Outcome: kv.Unsettled})
	r.jump(time.Second).commits(op, 2, r.config)
	require.Equal(t, 13*time.Second, r.m.Deadlines().End.Sub(localEpoch))
	r.step(CommitDone{Op: op.ID, Attempt: 1, Outcome: kv.Committed})
	require.Equal(t, 13*time.Second, r.m.Deadlines().End.Sub(localEpoch), "a late or repeated result changes nothing")
	r.step(CommitStarting{Op: op.ID + 7, Attempt: 1, Start: localEpoch, Lease: time.Millisecond, Config: r.config})
	require.Equal(t, 13*time.Second, r.m.Deadlines().End.Sub(localEpoch), "nor does an attempt of an operation that does not run")
}

// Attempts of two operations are told apart, although both count from one.
func TestAttemptsOfTwoOperations(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	first := r.op(ElectionCycle).ID
	short := testConfig()
	short.LeaseDuration = 5 * time.Second
	r.step(CommitStarting{Op: first, Attempt: 1, Start: r.now().Local, Lease: short.LeaseDuration, Config: short})
	r.step(CommitDone{Op: first, Attempt: 1, Outcome: kv.Unsettled}).answer(ElectionCycle, Answer{Err: errStore, MayHaveWritten: true})
	r.pass(20 * time.Millisecond)
	second := r.op(ElectionCycle).ID
	require.NotEqual(t, first, second)
	r.step(CommitStarting{Op: second, Attempt: 1, Start: r.now().Local, Lease: r.config.LeaseDuration, Config: r.config})
	again := *r
	again.step(CommitDone{Op: second, Attempt: 1, Outcome: kv.NotCommitted})
	require.Equal(t, 7500*time.Millisecond, again.m.Deadlines().End.Sub(localEpoch), "the unsettled one still counts")
	r.step(CommitDone{Op: second, Attempt: 1, Outcome: kv.Committed})
	require.Equal(t, r.now().Local.Add(9*time.Second), r.m.Deadlines().End)
}

// TestAShortenedLease: if an attempt writes a shorter lease whose stop deadline has passed, the
// leader drains before its commit starts.
func TestAShortenedLease(t *testing.T) {
	r := newRig(t).elect().pass(heartbeat)
	short := testConfig()
	short.LeaseDuration, short.HeartbeatInterval = 4*time.Second, time.Second
	op := r.op(ElectionCycle)
	r.step(CommitStarting{Op: op.ID, Attempt: 1, Start: localEpoch, Lease: 4 * time.Second, Config: short})
	r.does("drain 1: no renewal was acknowledged in time", "leader -> candidate: no renewal was acknowledged in time")
	require.Zero(t, r.m.Deadlines().Stop)
	require.Equal(t, 3600*time.Millisecond, r.m.Deadlines().End.Sub(localEpoch))
}
