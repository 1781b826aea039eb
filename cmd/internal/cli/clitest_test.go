package cli

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Virtual is the clock of a test, which testing/synctest may make virtual. That
// of the system does not obey it.
type Virtual struct{}

func (Virtual) Now() time.Time  { return time.Now() }
func (Virtual) Wall() time.Time { return time.Now() }

func (Virtual) AfterFunc(d time.Duration, f func()) elector.Timer { return time.AfterFunc(d, f) }

// meddled is a store that does something before each transaction.
type meddled struct {
	kv.Database
	before func(n int) error
	n      int
}

func (m *meddled) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	m.n++
	if err := m.before(m.n); err != nil {
		return err
	}
	return m.Database.Transact(ctx, fn)
}

// storeOf is a store "test:" that is the database given.
func storeOf(db kv.Database) Store {
	return Store{Scheme: "test", Open: func(context.Context, string, time.Duration) (kv.Database, io.Closer, error) {
		return db, io.NopCloser(nil), nil
	}}
}

// contents is all that is stored.
func contents(t *testing.T, db kv.Database) []kv.KeyValue {
	t.Helper()
	rows, err := kv.ReadTransact(t.Context(), db, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
		return tr.GetRange(nil, []byte{0xff}, kv.RangeOptions{}).Get()
	})
	require.NoError(t, err)
	return rows
}

// slow is a store that takes its time, or never answers.
type slow struct {
	kv.Database
	delay time.Duration
}

func (s slow) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	if err := clock.Sleep(ctx, Virtual{}, s.delay); err != nil {
		return kv.Error{Code: kv.CodeTransactionCancelled, Err: context.Cause(ctx)}
	}
	return s.Database.Transact(ctx, fn)
}

func (s slow) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	if err := clock.Sleep(ctx, Virtual{}, s.delay); err != nil {
		return kv.Error{Code: kv.CodeTransactionCancelled, Err: context.Cause(ctx)}
	}
	return s.Database.ReadTransact(ctx, fn)
}

var errDown = errors.New("the disk is on fire")

// weather is a store that may be down, and may have to be opened anew.
type weather struct {
	kv.Database
	down   atomic.Bool
	opened atomic.Int32
}

func (w *weather) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	if w.down.Load() {
		return errDown
	}
	return w.Database.Transact(ctx, fn)
}

func (w *weather) store() Store {
	return Store{
		Scheme: "test",
		Open: func(context.Context, string, time.Duration) (kv.Database, io.Closer, error) {
			if w.down.Load() {
				return nil, nil, errDown
			}
			w.opened.Add(1)
			return w, io.NopCloser(nil), nil
		},
		Permanent: func(err error) bool { return errors.Is(err, errDown) },
	}
}

// company is an election in virtual time, with candidates that a test starts.
type company struct {
	t        *testing.T
	db       kv.Database
	election *election.LeaderElection
}

func newCompany(t *testing.T) *company {
	return &company{t: t, db: memkv.New(memkv.Options{}), election: election.New(subspace.New("fdbelection", "default"))}
}

// enter has a candidate campaign, and returns it with what makes it leave.
func (c *company) enter(id string, priority int32) (el *elector.Elector, leave func()) {
	c.t.Helper()
	el, err := elector.New(c.db, c.election, elector.Options{
		NodeID: id, Priority: priority, Config: fdbelection.ConfigWithLease(2 * time.Second), Clock: Virtual{},
	})
	require.NoError(c.t, err)
	ctx, cancel := context.WithCancel(c.t.Context())
	require.NoError(c.t, el.Start(ctx))
	return el, func() {
		require.NoError(c.t, el.Stop(c.t.Context()))
		cancel()
	}
}

func (c *company) pass(d time.Duration) {
	c.t.Helper()
	require.NoError(c.t, clock.Sleep(c.t.Context(), Virtual{}, d))
}

// manual is an election whose candidates act when the test says so, by any clock.
type manual struct {
	t *testing.T
	kv.Database
	*election.LeaderElection
	one, two election.Registration
}

func newManual(t *testing.T) *manual {
	t.Helper()
	m := &manual{
		t: t, Database: memkv.New(memkv.Options{}), LeaderElection: election.New(subspace.New("fdbelection", "default")),
		one: election.Registration{Identity: election.Identity{ID: "one", Incarnation: uuid.UUID{1}}},
		two: election.Registration{Identity: election.Identity{ID: "two", Incarnation: uuid.UUID{2}}},
	}
	m.does(func(tr kv.Transaction) error { _, err := m.Initialize(tr); return err })
	for _, me := range []election.Registration{m.one, m.two} {
		m.does(func(tr kv.Transaction) error { return m.RegisterCandidate(tr, me, time.Now()) })
	}
	return m
}

func (m *manual) does(fn func(tr kv.Transaction) error) {
	m.t.Helper()
	require.NoError(m.t, m.Transact(m.t.Context(), fn))
}

// claims has a candidate claim, or renew, by a clock that says now.
func (m *manual) claims(me election.Registration, now time.Time) {
	m.t.Helper()
	m.does(func(tr kv.Transaction) error {
		_, err := m.RunElectionCycle(tr, me, now, election.WithObservation(election.Observation{}, now))
		return err
	})
}

func (m *manual) leader() election.LeaderRecord {
	m.t.Helper()
	l, err := kv.ReadTransact(m.t.Context(), m.Database, m.GetLeaderRaw)
	require.NoError(m.t, err)
	return l
}

// handsOver has the first hand over to the second, by a clock that says now.
func (m *manual) handsOver(now time.Time) {
	m.t.Helper()
	token := m.leader().Token()
	m.does(func(tr kv.Transaction) error {
		_, err := m.TransferLeadership(tr, token, "two", uuid.UUID{9}, now)
		return err
	})
}
