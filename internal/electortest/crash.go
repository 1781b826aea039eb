package electortest

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

var crashTests = []test{
	{"a dead leader is followed after its lease", deadLeader},
	{"a leader without a database stops in time", leaderWithoutDatabase},
	{"a leader whose loop hangs stops in time", leaderThatHangs},
	{"who cannot leave in order says so", leaveError},
}

// slack is how far two clocks of one machine may drift apart within a test.
const slack = 10 * time.Millisecond

func deadLeader(w *world) {
	w.withLease(short)
	a := w.leading("a")
	b := w.following("b")
	a.Abandon()
	require.False(w, a.believes())
	left := w.seat()
	require.Equal(w, "a", left.ID, "nothing is given up")
	b.leads(patience)
	seat := w.seat()
	require.Equal(w, "b", seat.ID)
	require.Greater(w, seat.Term, left.Term)
	require.False(w, seat.AcquiredAt.Before(left.LeaseExpiry.Add(-slack)),
		"taken at %v, and the lease was good until %v", seat.AcquiredAt, left.LeaseExpiry)
}

// A leader that cannot reach the database ends its tenure by its own clock, before
// the other takes over, and follows once it reaches it again.
func leaderWithoutDatabase(w *world) {
	w.withLease(short)
	db := &severed{Database: w.handle()}
	a := w.process("a", on(db))
	lead := a.campaigns()
	var overlap atomic.Bool
	b := w.following("b", whenElected(func() { overlap.Store(a.believes() || lead.LeaseContext().Err() == nil) }))
	db.cut.Store(true)
	within(w, patience, lead.LeaseContext().Done(), "the end of the lease")
	require.False(w, lead.Leads())
	term := b.leads(patience)
	require.Greater(w, term, lead.Term())
	require.False(w, overlap.Load(), "both led")
	a.leads(patience)
	a.demoted(patience) // its loop knows as well, and not from the database

	db.cut.Store(false)
	a.enters(elector.StateFollower, patience)
	require.NoError(w, lead.Resign(w.patient()), "what is lost need not be given up")
	b.stop()
	require.Greater(w, a.campaigns().Term(), term)
}

// Nothing of a leader goes on while its logger does not return, but for the timer
// that ends its tenure. Nobody here asks its contexts, which would look at the clock.
func leaderThatHangs(w *world) {
	w.withLease(short)
	log := &hanging{release: make(chan struct{})}
	a := w.process("a", func(s *settings) { s.Logger = slog.New(log) })
	w.Cleanup(func() { close(log.release) }) // before the process is stopped
	lead := a.campaigns()
	b := w.following("b")
	log.hangs.Store(true)
	within(w, patience, lead.Context().Done(), "the end of the context")
	within(w, patience, lead.LeaseContext().Done(), "the end of the lease")
	require.Greater(w, b.leads(patience), lead.Term())
}

// hanging is a logger that may stop to return.
type hanging struct {
	hangs   atomic.Bool
	release chan struct{}
}

func (h *hanging) Enabled(context.Context, slog.Level) bool { return true }
func (h *hanging) WithAttrs([]slog.Attr) slog.Handler       { return h }
func (h *hanging) WithGroup(string) slog.Handler            { return h }

func (h *hanging) Handle(context.Context, slog.Record) error {
	if h.hangs.Load() {
		<-h.release
	}
	return nil
}

// The record and the seat of who cannot reach the database stay, and Stop says so.
func leaveError(w *world) {
	db := &severed{Database: w.handle()}
	a := w.leading("a", on(db), func(s *settings) { s.LeaveLimit = quiet })
	db.cut.Store(true)
	var unsaid *elector.LeaveError
	require.ErrorAs(w, a.Stop(w.patient()), &unsaid)
	require.ErrorIs(w, unsaid, errSevered)
	require.ErrorIs(w, a.IsLeader(w.Context()), fdbelection.ErrNotLeader)
	require.Equal(w, "a", w.seat().ID)
	require.Contains(w, w.candidates(), "a")
}

// severed is a handle that can be cut off from its database.
type severed struct {
	kv.Database
	cut atomic.Bool
}

var errSevered = errors.New("cut off from the database")

func (s *severed) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	if s.cut.Load() {
		return errSevered
	}
	return s.Database.Transact(ctx, fn)
}

func (s *severed) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	if s.cut.Load() {
		return errSevered
	}
	return s.Database.ReadTransact(ctx, fn)
}

func (s *severed) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	if s.cut.Load() {
		return nil, errSevered
	}
	return s.Database.CreateTransaction(ctx)
}
