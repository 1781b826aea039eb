package interop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/internal/testseed"
	"github.com/fdbelection/fdbelection/kv"
)

// Many processes take random steps, each in Go or in Python. After each step the other implementation
// must agree on the bytes.
func TestRandomSteps(t *testing.T) {
	seed := testseed.Draw(t)
	program := newPython(t, "python")
	total := counts{}
	for elections := range longtest.Pick(uint64(10), 100) {
		counted, err := randomSteps(t.Context(), program, seed+elections, 100)
		require.NoError(t, err, "seed %d", seed+elections)
		total.add(counted)
	}
	t.Log(total)
	total.requireAll(t)
}

// counts says how often each implementation has done what.
type counts map[string]int

func (c counts) add(other counts) {
	for name, n := range other {
		c[name] += n
	}
}

// requireAll checks that both implementations have done everything, and were refused everything.
func (c counts) requireAll(t *testing.T) {
	t.Helper()
	for _, name := range []string{"register", "heartbeat", "claim", "renew", "resign"} {
		for _, implementation := range []string{"Go", "Python"} {
			require.NotZero(t, c[implementation+" "+name], "%v", c)
		}
	}
	for _, name := range []string{"vacancy", "expiry", "reclaim", "transfer", "lost", "accepted", "refused"} {
		require.NotZero(t, c[name], "%v", c)
	}
}

// randomSteps runs one election and returns what was done.
func randomSteps(ctx context.Context, program *python, seed uint64, steps int) (counts, error) {
	config := fdbelection.DefaultConfig()
	w, err := newWorld(ctx, program, seed, config)
	if err != nil {
		return nil, err
	}
	config.HistoryLimit = w.random.IntN(4)
	if w.random.IntN(3) == 0 {
		config.Expiry = fdbelection.ExpiryByClock
	}
	if err := w.steer(func(tr kv.Transaction, e *election.LeaderElection) error {
		_, err := e.WriteConfig(tr, config)
		return err
	}); err != nil {
		return nil, err
	}
	processes := []*process{
		w.process("a", 100, election.Voter), w.process("b", -7, election.Voter),
		w.process("\u00e9\u4e16", 100, election.Voter), w.process("watcher", 0, election.Observer),
	}
	counted := counts{}
	for n := range steps {
		w.now = w.now.Add(time.Duration(w.random.Int64N(int64(2 * time.Second))))
		if w.random.IntN(20) == 0 { // every process stands still
			w.now = w.now.Add(10 * time.Second)
		}
		if err := w.randomStep(processes, counted); err != nil {
			return nil, fmt.Errorf("step %d: %w", n, err)
		}
		if err := w.check(); err != nil {
			return nil, fmt.Errorf("after step %d: %w", n, err)
		}
	}
	return counted, nil
}

// randomStep takes a step of one process, or lets Go do what Python cannot.
func (w *world) randomStep(processes []*process, counted counts) error {
	status, err := kv.ReadTransact(w.ctx, w.db, election.New(space).ReadStatus)
	if err != nil {
		return err
	}
	p := processes[w.random.IntN(len(processes))]
	for _, other := range processes {
		if status.Leader.HeldBy(other.Identity) && w.random.IntN(3) > 0 {
			p = other // the holder has the most to do
		}
	}
	if w.random.IntN(10) == 0 || !status.Config.ElectionEnabled && w.random.IntN(2) == 0 {
		name, err := w.disturb(p, processes, status)
		counted[name]++
		return err
	}
	s := step{w.randomName(p, status), p, w.uuid()}
	inGo := w.random.IntN(2) == 0
	done, err := w.take(s, inGo)
	if err != nil {
		return err
	}
	if !done {
		counted["refused"]++
		return nil
	}
	counted[map[bool]string{true: "Go ", false: "Python "}[inGo]+s.name]++
	if s.name == "renew" && !status.Leader.Accepted {
		counted["accepted"]++
	}
	if status.Leader.Lost() {
		counted["lost"]++
	}
	if s.name == "claim" {
		after, err := kv.ReadTransact(w.ctx, w.db, election.New(space).ReadStatus)
		counted[after.Leader.AcquireReason.String()]++
		return err
	}
	return nil
}

// randomName returns a step that the process may try.
func (w *world) randomName(p *process, status election.Status) string {
	holds := status.Leader.HeldBy(p.Identity)
	candidate, err := kv.ReadTransact(w.ctx, w.db, func(tr kv.ReadTransaction) (election.Candidate, error) {
		return election.New(space).GetCandidate(tr, p.ID)
	})
	switch draw := w.random.IntN(100); {
	case err != nil || candidate.Incarnation != p.Incarnation:
		return "register"
	case draw < 30, !holds && draw < 60:
		return "heartbeat"
	case draw < 35, !holds && draw < 65:
		return "resign"
	case holds && (status.Leader.Lost() || w.wall(p).Before(status.Leader.LeaseExpiry)):
		return "renew"
	default:
		return "claim"
	}
}

// disturb lets Go do something that Python only has to understand, and says what.
func (w *world) disturb(p *process, processes []*process, status election.Status) (string, error) {
	leader, draw := status.Leader, w.random.IntN(12)
	if !status.Config.ElectionEnabled {
		draw = 4 // while it is disabled, every step is refused
	}
	switch draw {
	case 0: // a restart
		p.Incarnation = w.uuid()
		return "restart", w.steer(func(tr kv.Transaction, e *election.LeaderElection) error {
			return e.RegisterCandidate(tr, p.Registration, w.wall(p))
		})
	case 1:
		changed := p.Registration
		changed.NotReady = map[bool]string{true: "cold", false: ""}[p.NotReady == ""]
		err := w.steer(func(tr kv.Transaction, e *election.LeaderElection) error {
			return e.HeartbeatCandidate(tr, changed, w.wall(p))
		})
		if err == nil {
			p.Registration = changed
		}
		return "readiness", refusedIsFine(err)
	case 2:
		return "request", w.steer(func(tr kv.Transaction, e *election.LeaderElection) error {
			err := refusal(e.RequestResign(tr, leader.Term, uuid.UUID{1}))
			return refusedIsFine(err)
		})
	case 3:
		if leader.Ballot == 0 {
			return "nothing", nil
		}
		return "loss", w.db.Transact(w.ctx, func(tr kv.Transaction) error {
			tr.Clear(key("leader"))
			return nil
		})
	case 4:
		config := status.Config
		config.ElectionEnabled = !config.ElectionEnabled
		return "config", w.steer(func(tr kv.Transaction, e *election.LeaderElection) error {
			_, err := e.WriteConfig(tr, config)
			return err
		})
	case 5:
		if leader.Vacant() {
			return "nothing", nil
		}
		return "a forced resignation", w.steer(func(tr kv.Transaction, e *election.LeaderElection) error {
			return e.ForceResign(tr, leader.Token(), 0, w.now)
		})
	case 6, 7, 8: // claims, renews, hands over, resigns or asks for leadership, and leaves its notes
		return "cycle", w.db.Transact(w.ctx, func(tr kv.Transaction) error {
			_, err := w.library(p, w.uuid()).RunElectionCycle(tr, p.Registration, w.wall(p), election.WorkEnded())
			return refusedIsFine(err)
		})
	default:
		if p = processes[w.random.IntN(len(processes))]; leader.Vacant() || leader.HeldBy(p.Identity) {
			return "nothing", nil
		}
		nonce := w.uuid()
		return "transfer", w.steer(func(tr kv.Transaction, e *election.LeaderElection) error {
			_, err := e.TransferLeadership(tr, leader.Token(), p.ID, nonce, w.now)
			return refusedIsFine(err)
		})
	}
}

func (w *world) steer(act func(tr kv.Transaction, e *election.LeaderElection) error) error {
	return w.db.Transact(w.ctx, func(tr kv.Transaction) error { return act(tr, election.New(space)) })
}

// refusedIsFine accepts an error that says that Go has done nothing.
func refusedIsFine(err error) error {
	if errors.Is(refusal(err), errRefused) || errors.Is(err, fdbelection.ErrProcessNotFound) || errors.Is(err, fdbelection.ErrRequestPending) || errors.Is(err, fdbelection.ErrInvalidCandidate) {
		return nil
	}
	return err
}

func (c counts) String() string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c)) {
		fmt.Fprintf(&text, "%s: %d, ", name, c[name])
	}
	return text.String()
}
