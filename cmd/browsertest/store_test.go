package browsertest

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/serve"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

var root = subspace.New("services")

// world is a store in memory that can go away.
type world struct {
	kv.Database
	t    *testing.T
	down atomic.Bool
}

func newWorld(t *testing.T) *world {
	return &world{Database: memkv.New(memkv.Options{}), t: t}
}

var errAway = errors.New("no coordinator answers <b>at all</b>")

// ReadTransact fails while the store is down.
func (w *world) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	if w.down.Load() {
		return errAway
	}
	return w.Database.ReadTransact(ctx, fn)
}

// CreateTransaction fails while the store is down.
func (w *world) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	if w.down.Load() {
		return nil, errAway
	}
	return w.Database.CreateTransaction(ctx)
}

// serve serves the store until the test ends, and returns the address.
func (w *world) serve(set ...func(*serve.Options)) *httptest.Server {
	o := serve.Options{
		Database: w, Space: root, Store: "file:/var/lib/app/election.db", Root: "services",
		Clock: clitest.Virtual{}, Logger: slog.New(slog.DiscardHandler), LocalOnly: true,
	}
	for _, one := range set {
		one(&o)
	}
	s := httptest.NewServer(serve.NewHandler(o))
	w.t.Cleanup(func() { stop(s) })
	return s
}

// stop ends a server, and the streams that are open.
func stop(s *httptest.Server) {
	s.CloseClientConnections()
	s.Close()
}

// office is one election of a world. Candidates act only when the test says so, at any time that
// it chooses.
type office struct {
	*election.LeaderElection
	w *world
}

// elect creates an election. Its leases are long, so that a slow machine does not end them.
func (w *world) elect(name string, set ...func(*fdbelection.Config)) *office {
	w.t.Helper()
	config := fdbelection.ConfigWithLease(time.Hour)
	config.CandidateTimeout = 2 * time.Hour
	config.PreemptionGrace, config.MinimumTenure, config.PreemptDelay = 0, 0, 0
	for _, one := range set {
		one(&config)
	}
	o := &office{election.New(root.Sub(name)), w}
	o.does(func(tr kv.Transaction) error {
		_, err := o.InitializeWithConfig(tr, config)
		return err
	})
	return o
}

// does runs a transaction.
func (o *office) does(fn func(tr kv.Transaction) error) {
	o.w.t.Helper()
	require.NoError(o.w.t, o.w.Transact(o.w.t.Context(), fn))
}

// member returns what a candidate says of itself.
func member(id string, set ...func(*election.Registration)) election.Registration {
	r := election.Registration{Identity: election.Identity{ID: id, Incarnation: uuid.New()}}
	for _, one := range set {
		one(&r)
	}
	return r
}

// enter registers a candidate.
func (o *office) enter(me election.Registration, at time.Time) {
	o.w.t.Helper()
	o.does(func(tr kv.Transaction) error { return o.RegisterCandidate(tr, me, at) })
}

// cycle runs an election cycle. The candidate takes a lease for expired once it has ended by at.
func (o *office) cycle(me election.Registration, at time.Time) {
	o.w.t.Helper()
	o.does(func(tr kv.Transaction) error {
		leader, err := o.GetLeaderRaw(tr.Snapshot())
		if err != nil {
			return err
		}
		seen := election.Observation{}.Next(leader, leader.LeaseExpiry.Add(-leader.LeaseDuration))
		_, err = o.RunElectionCycle(tr, me, at, election.WithObservation(seen, at))
		return err
	})
}

// claims makes a candidate claim leadership, and fails if it does not get it.
func (o *office) claims(me election.Registration, at time.Time) {
	o.w.t.Helper()
	o.cycle(me, at)
	require.Equal(o.w.t, me.Identity, o.leader().Identity)
}

// leader reads the leader record.
func (o *office) leader() election.LeaderRecord {
	o.w.t.Helper()
	l, err := kv.ReadTransact(o.w.t.Context(), o.w.Database, o.GetLeaderRaw)
	require.NoError(o.w.t, err)
	return l
}

// resigns ends the tenure of the leader.
func (o *office) resigns(at time.Time) {
	o.w.t.Helper()
	token := o.leader().Token()
	o.does(func(tr kv.Transaction) error { return o.ResignLeadership(tr, token, at) })
}

// transfers makes the leader hand over, to a successor that does not accept yet.
func (o *office) transfers(to string, at time.Time) {
	o.w.t.Helper()
	token := o.leader().Token()
	o.does(func(tr kv.Transaction) error {
		_, err := o.TransferLeadership(tr, token, to, uuid.New(), at)
		return err
	})
}

// heartbeat is that of the default config.
const heartbeat = fdbelection.DefaultHeartbeatInterval

// keeps renews the lease of a leader and writes the heartbeats of the other candidates, until the
// test ends.
func (o *office) keeps(leader election.Registration, others ...election.Registration) {
	delay := time.Duration(rand.IntN(int(heartbeat))) // not all at once
	done := make(chan struct{})
	ctx := o.w.t.Context()
	go func() {
		defer close(done)
		for {
			err := o.w.Transact(ctx, func(tr kv.Transaction) error {
				now := time.Now()
				if _, err := o.RunElectionCycle(tr, leader, now, election.WithObservation(election.Observation{}, now)); err != nil {
					return err
				}
				for _, one := range others {
					if err := o.HeartbeatCandidate(tr, one, now, election.WithObservation(election.Observation{}, now)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil && ctx.Err() == nil {
				o.w.t.Errorf("the candidates do not go on: %v", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(delay):
				delay = heartbeat
			}
		}
	}()
	o.w.t.Cleanup(func() { <-done })
}
