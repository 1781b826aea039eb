package election

import (
	"context"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

var (
	chaosSeed  = flag.Uint64("chaos.seed", 0, "run only this seed of TestChaos, and print its steps")
	chaosSeeds = flag.Uint64("chaos.seeds", 300, "how many seeds TestChaos runs")
)

// TestChaos interleaves transactions of several processes and operators at random. Each is
// held open for a while, then committed or cancelled, and its answer may be lost. The clocks
// of the processes differ. Every commit is checked against the invariants
// (chaos_check_test.go).
func TestChaos(t *testing.T) {
	if *chaosSeed != 0 {
		runChaos(t, *chaosSeed)
		return
	}
	counts := map[string]int{}
	for seed := uint64(1); seed <= *chaosSeeds; seed++ {
		for what, n := range runChaos(t, seed) {
			counts[what] += n
		}
		if t.Failed() {
			t.Fatalf("replay with: go test ./election -run TestChaos -chaos.seed %d -v", seed)
		}
	}
	t.Log(counts)
	for _, what := range []string{
		"claimed vacancy", "claimed expiry", "claimed preemption", "claimed reclaim", "renewed", "challenged",
		"withdrew", "vacated", "handed over by request", "transferred", "resigned", "left holding", "evicted", "fenced", "refused", "conflict",
		"forced to resign", "kept after a renewal", "raised", "raised a held leadership",
	} {
		if counts[what] == 0 && *chaosSeeds >= 300 {
			t.Errorf("no seed reached the situation %q", what)
		}
	}
}

// chaos is one run.
type chaos struct {
	t      *testing.T
	rnd    *rand.Rand
	e      *LeaderElection
	db     *memkv.DB
	now    time.Time // the true time, from which each process has its own offset
	procs  []*chaosProc
	open   []*chaosTx
	check  chaosChecker
	counts map[string]int
}

type chaosProc struct {
	Registration
	offset  time.Duration
	token   Token // of its last tenure that was acknowledged
	seen    Observation
	list    []Candidate // as it read them some time ago
	request Request     // as it read it some time ago
	stopped bool
	rejoin  bool // its last operation returned ErrUnregisteredCandidate
}

// chaosTx is a transaction that is held open.
type chaosTx struct {
	kv.OwnedTransaction
	what    string
	actor   Identity  // the process; empty for an operator
	now     time.Time // on the clock of the actor
	action  Action    // of a cycle
	work    *Token    // of fenced work
	floor   uint64    // of a raise of the term
	acked   func()    // what its actor learns if the answer arrives
	onApply func()    // called after the commit
}

func runChaos(t *testing.T, seed uint64) map[string]int {
	c := &chaos{
		t: t, rnd: rand.New(rand.NewPCG(seed, 1)), now: time.Unix(1e9, 0), counts: map[string]int{},
	}
	tick := time.Unix(0, 0)
	c.db = memkv.New(memkv.Options{
		Now:     func() time.Time { tick = tick.Add(time.Microsecond); return tick },
		Jitter:  c.rnd.Float64,
		KeepLog: true,
	})
	c.e = New(subspace.New("chaos"), WithRandom(randomReader{c.rnd}))
	c.check = newChaosChecker(c)
	c.begin("init", Identity{}, c.now, func(tr *chaosTx) error {
		config := fdbelection.RecipeConfig()
		if c.chance(2) {
			config.Expiry = fdbelection.ExpiryByObservation
		}
		if c.chance(2) {
			config.PreemptionGrace = time.Second
		}
		_, err := c.e.InitializeWithConfig(tr, config)
		return err
	})
	c.finish(0)
	for i := range 3 + c.rnd.IntN(2) {
		p := &chaosProc{offset: time.Duration(c.rnd.Int64N(int64(4*time.Second))) - 2*time.Second}
		p.ID = string(rune('a' + i))
		c.procs = append(c.procs, p)
		c.restart(p)
	}
	for range 400 {
		c.step()
		if t.Failed() {
			break
		}
	}
	return c.counts
}

type randomReader struct{ *rand.Rand }

func (r randomReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return len(b), nil
}

var _ io.Reader = randomReader{}

func (c *chaos) chance(n int) bool { return c.rnd.IntN(n) == 0 }

func (c *chaos) nonce() uuid.UUID {
	nonce, _ := uuid.NewRandomFromReader(randomReader{c.rnd})
	return nonce
}

func (c *chaos) restart(p *chaosProc) {
	*p = chaosProc{offset: p.offset, Registration: Registration{
		Identity: Identity{ID: p.ID, Incarnation: c.nonce()}, Priority: int32(c.rnd.IntN(3)),
	}}
}

func (c *chaos) step() {
	switch n := c.rnd.IntN(20); {
	case n < 8 && len(c.open) > 0, len(c.open) > 8:
		c.finish(c.rnd.IntN(len(c.open)))
	case n < 10:
		c.now = c.now.Add(time.Duration(c.rnd.Int64N(int64(6 * time.Second))))
	case n < 12:
		c.observe(c.procs[c.rnd.IntN(len(c.procs))])
	case n == 12:
		c.operate()
	case n == 13 && c.chance(4):
		c.restart(c.procs[c.rnd.IntN(len(c.procs))])
	default:
		p := c.procs[c.rnd.IntN(len(c.procs))]
		if p.stopped {
			c.restart(p)
		}
		c.act(p)
	}
}

// begin runs fn in a transaction and holds it open. Any error that is not expected fails the
// test.
func (c *chaos) begin(what string, actor Identity, now time.Time, fn func(tr *chaosTx) error) {
	owned, err := c.db.CreateTransaction(context.Background())
	if err != nil {
		c.t.Fatal(err)
	}
	tr := &chaosTx{OwnedTransaction: owned, what: what, actor: actor, now: now, action: -1}
	if err := fn(tr); err != nil {
		c.logf("%-18s %s: %v", what, actor, err)
		for _, known := range []error{
			fdbelection.ErrElectionDisabled, fdbelection.ErrUnregisteredCandidate, fdbelection.ErrProcessNotFound,
			fdbelection.ErrDuplicateID, fdbelection.ErrNotVoting, fdbelection.ErrNotLeader, fdbelection.ErrFenced,
			fdbelection.ErrConfigChanged, fdbelection.ErrRequestPending,
			fdbelection.ErrLeaderRenewed,
		} {
			if errors.Is(err, known) {
				for _, p := range c.procs {
					p.rejoin = p.rejoin || errors.Is(err, fdbelection.ErrUnregisteredCandidate) && p.Identity == actor
				}
				c.counts["refused"]++
				tr.Cancel()
				return
			}
		}
		c.t.Fatalf("%s: %v", what, err)
	}
	c.open = append(c.open, tr)
}

// finish commits or cancels a transaction that is held open.
func (c *chaos) finish(i int) {
	tr := c.open[i]
	c.open = slices.Delete(c.open, i, i+1)
	if tr.what != "init" && c.chance(12) {
		tr.Cancel()
		return
	}
	err := tr.Commit()
	c.logf("%-18s %s: commit %v", tr.what, tr.actor, err)
	switch kv.CodeOf(err) {
	case kv.CodeNotCommitted:
		c.counts["conflict"]++
		return
	case 0:
	default:
		c.t.Fatalf("%s: %v", tr.what, err)
	}
	c.check.commit(tr)
	if tr.onApply != nil {
		tr.onApply()
	}
	if tr.acked != nil && !c.chance(4) { // otherwise the answer is lost
		tr.acked()
	}
}

func (c *chaos) logf(format string, args ...any) {
	if *chaosSeed != 0 {
		c.t.Logf(format, args...)
	}
}

// observe lets a process read what it will act on later.
func (c *chaos) observe(p *chaosProc) {
	err := c.db.ReadTransact(context.Background(), func(tr kv.ReadTransaction) error {
		leader, err := c.e.GetLeaderRaw(tr)
		if err != nil {
			return err
		}
		p.seen = p.seen.Next(leader, c.now.Add(p.offset))
		if c.chance(3) {
			p.list, err = c.e.ListCandidates(tr)
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
}

// operate begins a random operation of an operator.
func (c *chaos) operate() {
	term, target := c.check.leader.Term, c.procs[c.rnd.IntN(len(c.procs))].ID
	switch c.rnd.IntN(6) {
	case 0:
		c.begin("configure", Identity{}, c.now, func(tr *chaosTx) error {
			config, err := c.e.ReadConfig(tr)
			if err != nil {
				return err
			}
			config.ElectionEnabled = !c.chance(4)
			config.AllowPreemption = !c.chance(3)
			config.PreemptionGrace = time.Duration(c.rnd.IntN(2)) * time.Second
			config.MinimumTenure = time.Duration(c.rnd.IntN(2)) * time.Second
			config.HistoryLimit = c.rnd.IntN(4)
			_, err = c.e.WriteConfig(tr, config)
			return err
		})
	case 1:
		nonce := c.nonce()
		c.begin("request resign", Identity{}, c.now, func(tr *chaosTx) error { return c.e.RequestResign(tr, term, nonce) })
	case 2:
		nonce := c.nonce()
		c.begin("request transfer", Identity{}, c.now, func(tr *chaosTx) error {
			err := c.e.RequestTransfer(tr, term, target, nonce)
			if errors.Is(err, fdbelection.ErrInvalidCandidate) { // the target is the holder
				return fdbelection.ErrNotLeader
			}
			return err
		})
	case 3:
		c.begin("settle", Identity{}, c.now, func(tr *chaosTx) error {
			_, err := c.e.Settle(tr)
			return err
		})
	case 4:
		c.forceResign()
	case 5:
		if c.chance(3) { // more often, it would end most sequences of several steps
			c.raise()
		}
	}
}
