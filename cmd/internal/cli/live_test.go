package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// live is an election with a leader "a" and a candidate "b" who run the loop in
// the virtual time of a test.
type live struct {
	t        *testing.T
	db       kv.Database
	election *election.LeaderElection
	electors map[string]*elector.Elector
}

// inLife runs a test in such an election. The time is virtual.
func inLife(t *testing.T, test func(t *testing.T, l *live)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		l := &live{
			t: t, db: memkv.New(memkv.Options{}), electors: make(map[string]*elector.Elector),
			election: election.New(subspace.New("fdbelection", "default")),
		}
		ended := make(chan struct{}, 2)
		for _, id := range []string{"a", "b"} {
			el, err := elector.New(l.db, l.election, elector.Options{NodeID: id, Clock: clitest.Virtual{}})
			require.NoError(t, err)
			l.electors[id] = el
			go func() {
				el.Run(ctx, func(ctx context.Context, _ *elector.Leadership) error { <-ctx.Done(); return nil }) //nolint:errcheck // it ends with the test
				ended <- struct{}{}
			}()
			for synctest.Wait(); len(l.candidates()) < len(l.electors) || l.leader().Vacant(); synctest.Wait() {
				l.pass(10 * time.Millisecond)
			}
		}
		require.Equal(t, "a", l.leader().ID)
		test(t, l)
		stop()
		<-ended
		<-ended
	})
}

func (l *live) leader() election.LeaderRecord {
	leader, _ := kv.ReadTransact(l.t.Context(), l.db, l.election.GetLeaderRaw)
	return leader
}

func (l *live) candidates() []election.Candidate {
	candidates, _ := kv.ReadTransact(l.t.Context(), l.db, l.election.ListCandidates)
	return candidates
}

// runs a command on that store and in that time.
func (l *live) runs(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	a := &app{Program: &session.Program{
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Clock: clitest.Virtual{}, Random: rand.Reader,
		Stores: []session.Store{{Scheme: "file", Open: func(context.Context, string, time.Duration) (kv.Database, io.Closer, error) {
			return l.db, io.NopCloser(nil), nil
		}}},
	}}
	err := a.exec(l.t.Context(), args)
	return exit.Code(err), out.String(), errs.String()
}

// pass lets time pass.
func (l *live) pass(d time.Duration) {
	require.NoError(l.t, clock.Sleep(l.t.Context(), clitest.Virtual{}, d))
}

// until waits in virtual time until the leader record meets a condition.
func (l *live) until(what string, holds func(election.LeaderRecord) bool) election.LeaderRecord {
	l.t.Helper()
	for range 60_000 {
		if leader := l.leader(); holds(leader) {
			return leader
		}
		l.pass(10 * time.Millisecond)
		synctest.Wait()
	}
	require.Fail(l.t, "never came true: "+what, "the leader record: %s", l.leader())
	return election.LeaderRecord{}
}

// fenced is what becomes of a write under a tenure.
func (l *live) fenced(token election.Token) error {
	return l.db.Transact(l.t.Context(), func(tr kv.Transaction) error {
		tr.Set([]byte("application"), []byte("work"))
		return l.election.RequireLeadership(tr, token)
	})
}

// TestForceAfterACrash: a dead leader does not answer. It can be forced to resign after it
// has not renewed for its lease.
func TestForceAfterACrash(t *testing.T) {
	inLife(t, func(t *testing.T, l *live) {
		before := l.leader()
		for _, id := range []string{"a", "b"} { // else b would take over
			l.electors[id].Abandon()
		}
		begin := time.Now()
		code, _, stderr := l.runs("resign", "--store", "file:x", "--timeout", "4s")
		require.Equal(t, exit.CodeTimedOut, code, stderr)
		require.Contains(t, stderr, "has not stepped down within 4s; the request is withdrawn")
		require.Equal(t, 4*time.Second, time.Since(begin))

		begin = time.Now()
		code, stdout, stderr := l.runs("resign", "--store", "file:x", "--force")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "was forced to resign")
		require.Equal(t, before.LeaseDuration, time.Since(begin), "a whole lease, and no longer")
		require.True(t, l.leader().Vacant())
		require.ErrorIs(t, l.fenced(before.Token()), fdbelection.ErrFenced)

		begin = time.Now()
		code, stdout, stderr = l.runs("evict", "--store", "file:x")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "evicted a#")
		require.Contains(t, stdout, "evicted b#")
		require.Equal(t, 15*time.Second, time.Since(begin), "one candidate timeout, and no longer")
		require.Empty(t, l.candidates())
	})
}

// TestForceOnTheLiving: a live leader is forced to resign only with --yes. Its writes are
// refused at once, and another candidate leads.
func TestForceOnTheLiving(t *testing.T) {
	inLife(t, func(t *testing.T, l *live) {
		code, _, stderr := l.runs("resign", "--store", "file:x", "--force")
		require.Equal(t, exit.CodeFailure, code)
		require.Contains(t, stderr, "is alive: it has renewed its lease; nothing was changed")
		before := l.leader()
		require.NoError(t, l.fenced(before.Token()))
		code, stdout, stderr := l.runs("resign", "--store", "file:x", "--force", "--yes")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "it may still act as the leader outside the fence for up to 10s")
		require.ErrorIs(t, l.fenced(before.Token()), fdbelection.ErrFenced)
		next := l.until("a candidate leads again", func(l election.LeaderRecord) bool { return l.Term == 2 && !l.Vacant() })
		require.NoError(t, l.fenced(next.Token()))
	})
}

// TestRaiseTermUnderElectors: electors that run while the term is raised continue above
// it.
func TestRaiseTermUnderElectors(t *testing.T) {
	inLife(t, func(t *testing.T, l *live) {
		before := l.leader()
		code, _, stderr := l.runs("raise-term", "--store", "file:x", "--floor", "500")
		require.Equal(t, exit.CodeFailure, code)
		require.Contains(t, stderr, "end that tenure with --force")
		require.NoError(t, l.fenced(before.Token()))
		code, stdout, stderr := l.runs("raise-term", "--store", "file:x", "--floor", "500", "--force")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "the term went from 1 to 500")
		require.ErrorIs(t, l.fenced(before.Token()), fdbelection.ErrFenced)
		next := l.until("a candidate leads again", func(l election.LeaderRecord) bool { return l.Term == 501 && !l.Vacant() })
		require.NoError(t, l.fenced(next.Token()))
		l.pass(20 * time.Second) // and both agree
		synctest.Wait()
		for id, el := range l.electors {
			require.Equal(t, next.ID, el.LeaderID(), id)
			require.EqualValues(t, 501, el.Term(), id)
		}
	})
}

// TestEvictSparesTheLiving: a live candidate is not evicted, however late the command
// reads it.
func TestEvictSparesTheLiving(t *testing.T) {
	inLife(t, func(t *testing.T, l *live) {
		code, stdout, stderr := l.runs("evict", "--store", "file:x", "b")
		require.Zero(t, code, stderr)
		require.Contains(t, stdout, "no candidate was evicted: all others are alive")
		require.Len(t, l.candidates(), 2)
	})
}
