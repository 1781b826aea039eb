package clientgo

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

var elected = election.New(subspace.New("controllers"))

func newLock(t *testing.T, db kv.Database, id string) *Lock {
	t.Helper()
	l, err := New(db, elected, id, Options{})
	require.NoError(t, err)
	return l
}

// candidate runs client-go's own loop.
type candidate struct {
	*Lock
	started, stopped chan election.Token
	ended            chan struct{}
}

func run(ctx context.Context, t *testing.T, l *Lock, release bool) *candidate {
	t.Helper()
	c := &candidate{Lock: l, started: make(chan election.Token, 8), stopped: make(chan election.Token, 8), ended: make(chan struct{})}
	loop, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: l, LeaseDuration: time.Second, RenewDeadline: 600 * time.Millisecond, RetryPeriod: 50 * time.Millisecond, ReleaseOnCancel: release,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				token := l.Token()
				c.started <- token
				<-ctx.Done()
			},
			OnStoppedLeading: func() { c.stopped <- l.Token() },
		},
	})
	require.NoError(t, err)
	go func() {
		defer close(c.ended)
		loop.Run(ctx)
	}()
	return c
}

func within[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(30 * time.Second):
		require.FailNow(t, "timeout: "+what)
	}
	return v
}

// fenced writes under a token.
func fenced(t *testing.T, db kv.Database, token election.Token) error {
	t.Helper()
	return db.Transact(t.Context(), func(tr kv.Transaction) error {
		if err := elected.RequireLeadership(tr, token); err != nil {
			return err
		}
		tr.Set([]byte("balance"), []byte("100"))
		return nil
	})
}

func status(t *testing.T, db kv.Database) election.Status {
	t.Helper()
	s, err := kv.ReadTransact(t.Context(), db, elected.ReadStatus)
	require.NoError(t, err)
	return s
}

func history(t *testing.T, db kv.Database) (reasons []string) {
	t.Helper()
	events, err := kv.ReadTransact(t.Context(), db, func(tr kv.ReadTransaction) ([]election.Event, error) { return elected.History(tr, 0) })
	require.NoError(t, err)
	for _, e := range events {
		reasons = append(reasons, e.Reason)
	}
	return reasons
}

// Three candidates: the first leads and renews, releases, the second crashes, the third takes over
// after the lease.
func TestLoop(t *testing.T) {
	db := memkv.New(memkv.Options{})
	contexts, stops := make([]context.Context, 3), make([]context.CancelFunc, 3)
	for i := range contexts {
		contexts[i], stops[i] = context.WithCancel(t.Context())
		defer stops[i]()
	}
	a := run(contexts[0], t, newLock(t, db, "a"), true)
	first := within(t, a.started, "a leads")
	require.Equal(t, uint64(1), first.Term)
	require.NoError(t, fenced(t, db, first))
	before := status(t, db).Leader
	require.Eventually(t, func() bool { return status(t, db).Leader.Ballot >= before.Ballot+3 }, 30*time.Second, time.Millisecond, "a renews")
	require.Equal(t, first, status(t, db).Leader.Token(), "in the same term")

	b := run(contexts[1], t, newLock(t, db, "b"), false)
	require.Eventually(t, func() bool { return len(candidates(t, db)) == 2 }, 30*time.Second, time.Millisecond, "b is listed while it waits")
	released := time.Now()
	stops[0]()
	second := within(t, b.started, "b leads")
	require.Less(t, time.Since(released), 700*time.Millisecond, "without waiting for the lease")
	require.Equal(t, uint64(2), second.Term)
	require.ErrorIs(t, fenced(t, db, first), fdbelection.ErrFenced)
	require.NoError(t, fenced(t, db, second))
	require.Equal(t, []string{"b"}, candidates(t, db), "a has left")

	c := run(contexts[2], t, newLock(t, db, "c"), true)
	require.Eventually(t, func() bool { return len(candidates(t, db)) == 2 }, 30*time.Second, time.Millisecond)
	stops[1]()
	within(t, b.ended, "b crashes")
	crashed := time.Now()
	third := within(t, c.started, "c leads")
	require.Greater(t, time.Since(crashed), 800*time.Millisecond, "after the lease")
	require.Equal(t, uint64(3), third.Term)
	require.ErrorIs(t, fenced(t, db, second), fdbelection.ErrFenced)
	require.Equal(t, []string{"expiry", "vacancy", "left", "vacancy"}, history(t, db))
	stops[2]()
	within(t, c.ended, "c stops")
	require.True(t, status(t, db).Leader.Vacant())
}

func candidates(t *testing.T, db kv.Database) (ids []string) {
	t.Helper()
	all, err := kv.ReadTransact(t.Context(), db, elected.ListCandidates)
	require.NoError(t, err)
	for i := range all {
		ids = append(ids, all[i].ID)
	}
	return ids
}

// ask returns a record with which client-go claims or renews.
func ask(id string) resourcelock.LeaderElectionRecord {
	return resourcelock.LeaderElectionRecord{HolderIdentity: id, LeaseDurationSeconds: 15}
}

func TestErrorsOfALease(t *testing.T) {
	db := memkv.New(memkv.Options{})
	a, b := newLock(t, db, "a"), newLock(t, db, "b")
	require.ErrorContains(t, a.Update(t.Context(), ask("a")), "call Get first")
	_, _, err := a.Get(t.Context())
	require.True(t, apierrors.IsNotFound(err), err)
	require.Zero(t, a.Token())
	require.ErrorContains(t, a.Create(t.Context(), ask("b")), "cannot make b the holder")
	require.NoError(t, a.Create(t.Context(), ask("a")))
	require.Equal(t, 15*time.Second, status(t, db).Config.LeaseDuration)
	require.True(t, apierrors.IsAlreadyExists(b.Create(t.Context(), ask("b"))))

	record, raw, err := b.Get(t.Context())
	require.NoError(t, err)
	leader := status(t, db).Leader
	require.Equal(t, "a", record.HolderIdentity)
	require.Equal(t, 15, record.LeaseDurationSeconds)
	require.Zero(t, record.LeaderTransitions)
	require.True(t, record.AcquireTime.Time.Equal(leader.AcquiredAt))
	require.True(t, record.RenewTime.Time.Equal(leader.LeaseExpiry.Add(-15*time.Second)))
	require.True(t, apierrors.IsConflict(b.Update(t.Context(), ask("b"))), "the lease has not expired")

	require.NoError(t, a.Update(t.Context(), ask("a")))
	_, renewed, err := b.Get(t.Context())
	require.NoError(t, err)
	require.NotEqual(t, raw, renewed, "client-go sees a renewal by the raw record")
	require.Equal(t, leader.Ballot+1, status(t, db).Leader.Ballot)
	require.NoError(t, fenced(t, db, a.Token()))

	require.NoError(t, a.Update(t.Context(), resourcelock.LeaderElectionRecord{}))
	require.ErrorIs(t, fenced(t, db, a.Token()), fdbelection.ErrFenced)
	record, _, err = b.Get(t.Context())
	require.NoError(t, err)
	require.Empty(t, record.HolderIdentity)
	c := newLock(t, db, "c")
	_, _, err = c.Get(t.Context())
	require.NoError(t, err)
	require.NoError(t, b.Update(t.Context(), ask("b")))
	require.True(t, apierrors.IsConflict(c.Update(t.Context(), ask("c"))), "b was faster")
	require.NoError(t, b.Update(t.Context(), resourcelock.LeaderElectionRecord{}))
	require.True(t, apierrors.IsConflict(c.Update(t.Context(), ask("c"))), "vacant again, and not as it was read")
	record, _, err = c.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, record.LeaderTransitions)
	require.NoError(t, c.Update(t.Context(), ask("c")))
	require.Equal(t, uint64(3), c.Token().Term)
	require.NoError(t, a.Update(t.Context(), resourcelock.LeaderElectionRecord{}), "a stale leader releases nothing")
	require.NoError(t, fenced(t, db, c.Token()))
}

// After an unknown result, the transaction runs again and finds its own record.
func TestRetries(t *testing.T) {
	unknown := 0
	db := memkv.New(memkv.Options{Hooks: &memkv.Hooks{After: func(_ context.Context, c *memkv.Call) error {
		if c.Kind == memkv.CallCommit && unknown > 0 {
			unknown--
			return kv.Error{Code: kv.CodeCommitUnknownResult}
		}
		return nil
	}}})
	a := newLock(t, db, "a")
	_, _, err := a.Get(t.Context())
	require.True(t, apierrors.IsNotFound(err))
	unknown = 5
	require.NoError(t, a.Create(t.Context(), ask("a")))
	require.Zero(t, unknown)
	token := a.Token()
	require.Equal(t, uint64(1), token.Term)
	for n := range 3 {
		unknown = n
		require.NoError(t, a.Update(t.Context(), ask("a")))
		require.Zero(t, unknown)
	}
	require.Equal(t, token, status(t, db).Leader.Token())
	unknown = 3
	require.NoError(t, a.Update(t.Context(), resourcelock.LeaderElectionRecord{}))
	_, _, err = a.Get(t.Context())
	require.NoError(t, err)
	unknown = 2
	require.NoError(t, a.Update(t.Context(), ask("a")))
	require.Equal(t, uint64(2), a.Token().Term, "one claim, although it was run three times")
	require.NoError(t, fenced(t, db, a.Token()))
}

// A tenure that an operator has ended does not go on as another term of the same loop.
func TestOneTermForEachLoop(t *testing.T) {
	db := memkv.New(memkv.Options{})
	a := newLock(t, db, "a")
	now := time.Now()
	a.now = func() time.Time { return now }
	require.NoError(t, a.Create(t.Context(), ask("a")))
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error { return elected.ForceResign(tr, a.Token(), 0, now) }))
	claim := func() error {
		_, _, err := a.Get(t.Context())
		require.NoError(t, err)
		return a.Update(t.Context(), ask("a"))
	}
	now = now.Add(29 * time.Second)
	require.ErrorContains(t, claim(), "it can claim in 1s")
	require.True(t, status(t, db).Leader.Vacant())
	now = now.Add(time.Second)
	require.NoError(t, claim())
	require.Equal(t, uint64(2), a.Token().Term)

	// The same holds if its own lease ran out and no other process claimed: that would be a new
	// term, too.
	now = now.Add(16 * time.Second)
	require.ErrorContains(t, a.Update(t.Context(), ask("a")), "it can claim in 14s")
	require.Equal(t, uint64(2), status(t, db).Leader.Term)
}

// An operator asks the leader to resign. client-go stops, and with ReleaseOnCancel another
// candidate leads at once.
func TestRequestToResign(t *testing.T) {
	db := memkv.New(memkv.Options{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	a := run(ctx, t, newLock(t, db, "a"), true)
	first := within(t, a.started, "a leads")
	b := run(ctx, t, newLock(t, db, "b"), true)
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error { return elected.RequestResign(tr, first.Term, uuid.New()) }))
	within(t, a.stopped, "a stops")
	require.Equal(t, uint64(2), within(t, b.started, "b leads").Term)
	require.Equal(t, []string{"vacancy", "left", "vacancy"}, history(t, db))
	stop()
	within(t, b.ended, "b ends")
}

// A lease is not renewed while a request stands, and it is when the request is cancelled.
func TestRequestThatIsCancelled(t *testing.T) {
	db := memkv.New(memkv.Options{})
	a := newLock(t, db, "a")
	require.NoError(t, a.Create(t.Context(), ask("a")))
	nonce := uuid.New()
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error { return elected.RequestResign(tr, 1, nonce) }))
	for range 3 {
		require.ErrorContains(t, a.Update(t.Context(), ask("a")), "asked to give up leadership: resign in term 1")
		require.Equal(t, uint64(1), status(t, db).Leader.Ballot)
	}
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error { return elected.CancelRequest(tr, nonce) }))
	require.NoError(t, a.Update(t.Context(), ask("a")))
}

// Leadership that comes back to a loop that has lost it is a new term, which that loop must not use.
func TestLeadershipThatComesBack(t *testing.T) {
	db := memkv.New(memkv.Options{})
	a, b := newLock(t, db, "a"), newLock(t, db, "b")
	now := time.Now()
	a.now = func() time.Time { return now }
	require.NoError(t, a.Create(t.Context(), ask("a")))
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error { return elected.ForceResign(tr, a.Token(), 0, now) }))
	_, _, err := b.Get(t.Context())
	require.NoError(t, err)
	require.NoError(t, b.Update(t.Context(), ask("b")))
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		_, err := elected.TransferLeadership(tr, b.Token(), "a", uuid.New(), now)
		return err
	}))
	record, _, err := a.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, "a", record.HolderIdentity)
	require.ErrorContains(t, a.Update(t.Context(), ask("a")), "it can claim in 30s")
	require.Equal(t, uint64(1), a.Token().Term)
	require.False(t, status(t, db).Leader.Accepted)
	now = now.Add(30 * time.Second)
	require.NoError(t, a.Update(t.Context(), ask("a")))
	require.Equal(t, uint64(3), a.Token().Term)
}

// A process that restarts under its old identity is another holder, and waits for the lease.
func TestRestartUnderTheSameIdentity(t *testing.T) {
	db := memkv.New(memkv.Options{})
	before := newLock(t, db, "a")
	require.NoError(t, before.Create(t.Context(), ask("a")))
	after := newLock(t, db, "a")
	record, _, err := after.Get(t.Context())
	require.NoError(t, err)
	require.Equal(t, before.me.Identity.String(), record.HolderIdentity)
	require.NotEqual(t, "a", record.HolderIdentity)
	require.True(t, apierrors.IsConflict(after.Update(t.Context(), ask("a"))))
	require.ErrorIs(t, before.Update(t.Context(), ask("a")), fdbelection.ErrDuplicateID, "the older process stops")
	_, _, err = before.Get(t.Context())
	require.ErrorIs(t, err, fdbelection.ErrDuplicateID)
}

func TestLeaseThatIsTooShort(t *testing.T) {
	db := memkv.New(memkv.Options{})
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		_, err := elected.Initialize(tr)
		return err
	}))
	a := newLock(t, db, "a")
	require.ErrorContains(t, a.Create(t.Context(), ask("a")), "is 10s, shorter than client-go's LeaseDuration of 15s")
	require.True(t, status(t, db).Leader.Vacant())
	require.ErrorContains(t, a.Create(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "a"}), "below one second")
	require.NoError(t, a.Create(t.Context(), resourcelock.LeaderElectionRecord{HolderIdentity: "a", LeaseDurationSeconds: 10}))
}

// An answer that comes late is a failure for client-go, which counts from the answer.
func TestLateAnswer(t *testing.T) {
	var now time.Time
	var late time.Duration
	db := memkv.New(memkv.Options{Hooks: &memkv.Hooks{After: func(_ context.Context, c *memkv.Call) error {
		if c.Kind == memkv.CallCommit {
			now = now.Add(late)
		}
		return nil
	}}})
	now = time.Now()
	a := newLock(t, db, "a")
	a.now = func() time.Time { return now }
	require.NoError(t, a.Create(t.Context(), ask("a")))
	late = 1600 * time.Millisecond
	require.ErrorContains(t, a.Update(t.Context(), ask("a")), "took 1.6s, longer than a tenth of it")
	late = 100 * time.Millisecond
	require.NoError(t, a.Update(t.Context(), ask("a")))
}

// Every restart has a new identity. The leader removes those that are gone.
func TestDeadCandidatesAreRemoved(t *testing.T) {
	clock := time.Unix(1_000_000, 0)
	e := election.New(subspace.New("controllers"), election.WithClock(election.Clock{Now: func() time.Time { return clock }}))
	db := memkv.New(memkv.Options{})
	a, err := New(db, e, "a", Options{})
	require.NoError(t, err)
	a.now = func() time.Time { return clock }
	require.NoError(t, a.Create(t.Context(), ask("a")))
	_, _, err = newLock(t, db, "dead").Get(t.Context())
	require.NoError(t, err)
	for range 30 {
		clock = clock.Add(2 * time.Second)
		require.NoError(t, a.Update(t.Context(), ask("a")))
	}
	require.Equal(t, []string{"a"}, candidates(t, db))
}

func TestTexts(t *testing.T) {
	var text strings.Builder
	l, err := New(memkv.New(memkv.Options{}), elected, "a", Options{Logger: slog.New(slog.NewTextHandler(&text, nil))})
	require.NoError(t, err)
	require.Equal(t, "a", l.Identity())
	require.Contains(t, l.Describe(), "controllers")
	l.RecordEvent("became leader")
	require.Contains(t, text.String(), `node=a event="became leader"`)
	_, err = New(memkv.New(memkv.Options{}), elected, "", Options{})
	require.ErrorIs(t, err, fdbelection.ErrInvalidCandidate)
	_, err = New(nil, nil, "a", Options{})
	require.Error(t, err)
}
