package electortest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

const (
	// short is the lease of tests that wait for its end.
	short = 2 * time.Second
	// long is the lease of the other tests. A heartbeat is a third of it, and a follower
	// polls again after a tenth of a heartbeat at the earliest. So a watch is the cause of
	// what happens within promptly.
	long     = 5 * time.Minute
	promptly = 5 * time.Second
	// medium is the lease of tests with several tenures. A process begins at most one per
	// heartbeat, and arms a watch at most once per tenth of a heartbeat.
	medium = 4500 * time.Millisecond
	// timeout is the candidate timeout of tests that wait for heartbeats.
	timeout = 2 * time.Second
	// patience is how long an expected event may take on a busy machine.
	patience = time.Minute
	// pause is how long a test waits to see that nothing happens.
	pause = 300 * time.Millisecond
)

// cluster is one election on one database, with its processes.
type cluster struct {
	*testing.T
	db       kv.Database // the operator's handle
	handle   func() kv.Database
	election *election.LeaderElection
	config   fdbelection.Config
	clock    elector.Clock
	start    time.Time
}

// eager returns the default config for a lease, with preemption without a delay.
func eager(lease time.Duration) fdbelection.Config {
	config := fdbelection.ConfigWithLease(lease)
	config.MinimumTenure, config.PreemptDelay = 0, 0
	return config
}

// newCluster opens the database. The first elector creates the election, with the long lease.
func newCluster(t *testing.T, engine Engine, clock elector.Clock) *cluster {
	t.Helper()
	space := subspace.FromBytes(engine.Prefix).Sub("electortest", uuid.NewString())
	handle := engine.Open(t)
	tc := &cluster{
		T: t, db: handle(), handle: handle, election: election.New(space),
		config: eager(long), clock: clock, start: time.Now(),
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, tc.db.Transact(ctx, func(tr kv.Transaction) error {
			begin, end := space.Range()
			tr.ClearRange(begin, end)
			return nil
		}))
	})
	return tc
}

// withLease changes the lease with which the election will be created.
func (tc *cluster) withLease(lease time.Duration) *cluster {
	tc.config = eager(lease)
	return tc
}

// frequentHeartbeats lets all processes write often with the long lease, so that no tenure ends
// on a busy machine.
func (tc *cluster) frequentHeartbeats() *cluster {
	tc.config.HeartbeatInterval, tc.config.CandidateTimeout = timeout/4, timeout
	return tc
}

// initialized creates the election as an operator.
func (tc *cluster) initialized() *cluster {
	tc.Helper()
	tc.transact(func(tr kv.Transaction) error {
		_, err := tc.election.InitializeWithConfig(tr, tc.config)
		return err
	})
	return tc
}

// patient returns a context that ends after patience.
func (tc *cluster) patient() context.Context {
	ctx, cancel := context.WithTimeout(tc.Context(), patience)
	tc.Cleanup(cancel)
	return ctx
}

// transact commits a transaction as an operator.
func (tc *cluster) transact(fn func(tr kv.Transaction) error) {
	tc.Helper()
	require.NoError(tc, tc.db.Transact(tc.patient(), fn))
}

// read reads as an operator.
func read[T any](tc *cluster, fn func(tr kv.ReadTransaction) (T, error)) T {
	tc.Helper()
	value, err := kv.ReadTransact(tc.patient(), tc.db, fn)
	require.NoError(tc, err)
	return value
}

// leader reads the leader record.
func (tc *cluster) leader() election.LeaderRecord {
	tc.Helper()
	return read(tc, tc.election.GetLeaderRaw)
}

// request reads the request record.
func (tc *cluster) request() election.Request {
	tc.Helper()
	return read(tc, tc.election.ReadRequest)
}

// candidates reads the candidate records by id.
func (tc *cluster) candidates() map[string]election.Candidate {
	tc.Helper()
	all := make(map[string]election.Candidate)
	for _, c := range read(tc, tc.election.ListCandidates) {
		all[c.ID] = c
	}
	return all
}

// until polls until a condition holds.
func (tc *cluster) until(what string, as func() bool) {
	tc.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !as(); <-tick.C {
		if time.Now().After(deadline) {
			tc.Fatalf("%s: not after %v; the leader record is %v", what, patience, tc.leader())
		}
	}
}

// heartbeats waits until each candidate has written two more heartbeats. By then it has acted
// on everything that it has seen.
func (tc *cluster) heartbeats(ids ...string) {
	tc.Helper()
	before := tc.candidates()
	tc.until("two heartbeats", func() bool {
		now := tc.candidates()
		for _, id := range ids {
			if now[id].Heartbeats < before[id].Heartbeats+2 {
				return false
			}
		}
		return true
	})
}

// reconfigure changes the stored config.
func (tc *cluster) reconfigure(change func(c *fdbelection.Config)) {
	tc.Helper()
	tc.transact(func(tr kv.Transaction) error {
		config, err := tc.election.ReadConfig(tr)
		if err != nil {
			return err
		}
		change(&config)
		_, err = tc.election.WriteConfig(tr, config)
		return err
	})
}

// within returns the next value of a channel. The test fails if there is none in time.
func within[T any](tc *cluster, limit time.Duration, c <-chan T, what string) T {
	tc.Helper()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case v := <-c:
		return v
	case <-timer.C:
		tc.Fatalf("%s: not within %v", what, limit)
		panic("unreachable")
	}
}
