package electortest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

const (
	// short is the lease where its end is what a test waits for.
	short = 2 * time.Second
	// long is the lease where it is not. A heartbeat is a third of it, and a
	// follower looks again after a tenth of a heartbeat at the soonest: what happens
	// within promptly happens because of a watch.
	long     = 5 * time.Minute
	promptly = 5 * time.Second
	// medium is the lease where several tenures follow one another: a process begins
	// one per heartbeat at the most, and arms a watch once per tenth of it.
	medium = 4500 * time.Millisecond
	// silence is the candidate timeout where tests wait for heartbeats.
	silence = 2 * time.Second
	// patience is how long what has to happen may take on a busy machine.
	patience = time.Minute
	// quiet is how long a test looks on where nothing may happen.
	quiet = 300 * time.Millisecond
)

// world is one election on one database.
type cluster struct {
	*testing.T
	db       kv.Database // the operator's handle
	handle   func() kv.Database
	election *election.LeaderElection
	config   fdbelection.Config
	start    time.Time
}

// eager is the default config for a lease, in which a higher priority need not wait
// before it challenges.
func eager(lease time.Duration) fdbelection.Config {
	config := fdbelection.ConfigWithLease(lease)
	config.MinimumTenure, config.PreemptDelay = 0, 0
	return config
}

// newWorld opens the database. The election is of the long lease, and made by the
// first elector.
func newCluster(t *testing.T, engine Engine) *cluster {
	t.Helper()
	space := subspace.FromBytes(engine.Prefix).Sub("electortest", uuid.NewString())
	handle := engine.Open(t)
	tc := &cluster{
		T: t, db: handle(), handle: handle, election: election.New(space),
		config: eager(long), start: time.Now(),
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

// withLease has the election made with another lease.
func (tc *cluster) withLease(lease time.Duration) *cluster {
	tc.config = eager(lease)
	return tc
}

// brisk has everybody write often, in an election of the long lease: a busy machine
// ends no tenure.
func (tc *cluster) brisk() *cluster {
	tc.config.HeartbeatInterval, tc.config.CandidateTimeout = silence/4, silence
	return tc
}

// initialized makes the election, as an operator would.
func (tc *cluster) initialized() *cluster {
	tc.Helper()
	tc.transact(func(tr kv.Transaction) error {
		_, err := tc.election.InitializeWithConfig(tr, tc.config)
		return err
	})
	return tc
}

// patient returns a context that ends with the patience of the test.
func (tc *cluster) patient() context.Context {
	ctx, cancel := context.WithTimeout(tc.Context(), patience)
	tc.Cleanup(cancel)
	return ctx
}

// transact commits something as an operator would.
func (tc *cluster) transact(fn func(tr kv.Transaction) error) {
	tc.Helper()
	require.NoError(tc, tc.db.Transact(tc.patient(), fn))
}

// read reads a part of the election.
func read[T any](tc *cluster, fn func(tr kv.ReadTransaction) (T, error)) T {
	tc.Helper()
	value, err := kv.ReadTransact(tc.patient(), tc.db, fn)
	require.NoError(tc, err)
	return value
}

// seat reads the leader record.
func (tc *cluster) leader() election.LeaderRecord {
	tc.Helper()
	return read(tc, tc.election.GetLeaderRaw)
}

// intent reads what is asked of the leader.
func (tc *cluster) request() election.Request {
	tc.Helper()
	return read(tc, tc.election.ReadRequest)
}

// candidates reads the ids of the candidates, with their records.
func (tc *cluster) candidates() map[string]election.Candidate {
	tc.Helper()
	all := make(map[string]election.Candidate)
	for _, c := range read(tc, tc.election.ListCandidates) {
		all[c.ID] = c
	}
	return all
}

// until waits for a state of the records of which no event tells.
func (tc *cluster) until(what string, as func() bool) {
	tc.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !as(); <-tick.C {
		if time.Now().After(deadline) {
			tc.Fatalf("%s: not after %v; the seat is %v", what, patience, tc.leader())
		}
	}
}

// beats waits until each candidate has written two more heartbeats: by then it
// has done what it was going to do.
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

// reconfigure changes the config.
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

// within returns what a channel gives, in time.
func within[T any](tc *cluster, limit time.Duration, c <-chan T, what string) T {
	tc.Helper()
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	select {
	case v := <-c:
		return v
	case <-timeout.C:
		tc.Fatalf("%s: not within %v", what, limit)
		panic("unreachable")
	}
}
