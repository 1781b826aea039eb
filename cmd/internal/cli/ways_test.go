package cli

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// ways is an election in virtual time. The test tries every way to create it and every way
// to use it.
type ways struct {
	*live
	ctx context.Context
}

// TestEveryWayInWorksOnEveryElection: however an election is created, by the code of the
// README or by the command, it has the same config, and every way to use it works as the
// README shows it: the transactions of a caller, the loop, and the command that
// subscribes.
func TestEveryWayInWorksOnEveryElection(t *testing.T) {
	makers := map[string]func(*ways){
		"Initialize":    (*ways).initialize,
		"fdbelect init": func(w *ways) { w.command("init") },
		"an elector":    func(w *ways) { w.loop(func() {}) },
	}
	users := map[string]func(*ways){
		"a caller's transactions": (*ways).byHand,
		"an elector":              func(w *ways) { w.loop(w.fencedWrite) },
		"the command":             (*ways).looksOn,
	}
	for maker, makes := range makers {
		for user, uses := range users {
			t.Run(maker+", used by "+user, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := &ways{ctx: t.Context(), live: &live{
						t: t, db: memkv.New(memkv.Options{}), election: election.New(subspace.New("fdbelection", "default")),
					}}
					makes(w)
					config, err := kv.ReadTransact(w.ctx, w.db, w.election.ReadConfig)
					require.NoError(t, err)
					require.True(t, config.SameSettings(fdbelection.DefaultConfig()), "%+v", config)
					uses(w)
				})
			})
		}
	}
}

func (w *ways) initialize() {
	require.NoError(w.t, w.db.Transact(w.ctx, func(tr kv.Transaction) error {
		_, err := w.election.Initialize(tr)
		return err
	}))
}

// command runs a command, which must succeed.
func (w *ways) command(args ...string) string {
	w.t.Helper()
	code, stdout, stderr := w.runs(append(args, "--store", "file:virtual")...)
	require.Zero(w.t, code, "%s%s", stdout, stderr)
	return stdout
}

// byHand is a process that leads by election cycles and stops to send heartbeats, and
// another one that takes over. Neither keeps anything between two cycles.
func (w *ways) byHand() {
	first := w.join("host-1")
	result := w.cycle(first)
	require.True(w.t, result.Leads())
	w.fencedWrite()
	second := w.join("host-2")
	for !w.cycle(second).Leads() {
		w.pass(time.Second)
		require.Less(w.t, time.Since(result.ValidUntil), 5*time.Second)
	}
	require.True(w.t, time.Now().After(result.ValidUntil), "the first one was told when to stop")
	w.fencedWrite()
	require.ErrorIs(w.t, w.fenced(result.Leader.Token()), fdbelection.ErrFenced)
}

func (w *ways) join(id string) election.Registration {
	me := election.Registration{Identity: election.Identity{ID: id, Incarnation: uuid.New()}}
	require.NoError(w.t, w.db.Transact(w.ctx, func(tr kv.Transaction) error {
		if _, err := w.election.Initialize(tr); err != nil {
			return err
		}
		return w.election.RegisterCandidate(tr, me, time.Now())
	}))
	return me
}

func (w *ways) cycle(me election.Registration) election.CycleResult {
	clocked := election.New(w.election.Subspace(), election.WithClock(election.Clock{Run: uuid.UUID{1}, Now: time.Now}))
	result, err := kv.Transact(w.ctx, w.db, func(tr kv.Transaction) (election.CycleResult, error) {
		return clocked.RunElectionCycle(tr, me, time.Now())
	})
	require.NoError(w.t, err)
	return result
}

// loop is an elector that leads, does something, and leaves.
func (w *ways) loop(work func()) {
	el, err := elector.New(w.db, w.election, elector.Options{Clock: clitest.Virtual{}})
	require.NoError(w.t, err)
	ctx, stop := context.WithCancel(w.ctx)
	defer stop()
	require.NoError(w.t, el.Run(ctx, func(context.Context, *elector.Leadership) error {
		work()
		stop()
		return nil
	}))
}

// fencedWrite is a write under the tenure that stands.
func (w *ways) fencedWrite() { require.NoError(w.t, w.fenced(w.leader().Token())) }

// looksOn is an operator who asks for the leader and the candidates.
func (w *ways) looksOn() {
	me := w.join("host-1")
	require.True(w.t, w.cycle(me).Leads())
	require.Contains(w.t, w.command("status"), "host-1")
	require.Contains(w.t, w.command("candidates"), "host-1")
}
