package simulation

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestPairs runs every pair of operations of package election, by every pair of actors,
// from each starting state, in every order of their reads and commits. The checks of the
// commit log run after each commit. The quick form has a few of the starting states.
//
// All reads of a transaction see one version. So the order of two transactions depends
// only on when each takes its read version and when it commits. That leaves four orders:
// one after the other, both ways, and both reading before either commits, with either
// committing first. A transaction that conflicts is dropped in one run and retried in
// another.
func TestPairs(t *testing.T) {
	for i, start := range startingStates() {
		t.Run(start.name, func(t *testing.T) {
			if i%8 != 2 {
				longtest.Only(t)
			}
			p := newPairs(t, start)
			if len(p.failures) == 0 {
				p.runAll()
			}
			t.Logf("%d acts, %d of them have an effect here, %d schedules", len(p.acts), p.effective, p.schedules)
			for _, f := range p.failures[:min(len(p.failures), 20)] {
				fmt.Printf("VIOLATED %d %d %s\n", 0, f.Invariant, f.Text) // TestMutants reads these lines
				t.Error(f.Error())
			}
			if n := len(p.failures); n > 0 {
				t.Fatalf("%d schedules break an invariant", n)
			}
			require.Greater(t, p.effective, len(p.acts)/8, "too few acts have an effect in this state")
		})
	}
}

// pairs is one starting state and the acts that start from it.
type pairs struct {
	*world
	t      *testing.T
	actors map[string]*process
	nonces reader // of the transactions of one schedule

	// The starting state: the rows of the database and what the checks remember.
	version int64
	checked checks
	started time.Duration

	// What the actors know at the start.
	token, before election.Token // of the current tenure, and of the one before
	request       election.Request
	seen          election.Observation
	candidates    map[string]election.Candidate

	acts      []pairAct
	commits   int
	effective int
	schedules int
	failures  []ViolationError
}

// pairAct is one operation by one actor, in one transaction.
type pairAct struct {
	name  string
	actor string
	label string // in the commit log; "" means the name
	do    func(tr kv.Transaction) error
}

func newPairs(t *testing.T, start startingState) *pairs {
	space := subspace.New("simulation")
	p := &pairs{t: t, actors: map[string]*process{}, candidates: map[string]election.Candidate{}}
	p.world = &world{
		kernel: newKernel(Options{Seed: 1}),
		shape:  shape{config: start.config}, identities: &reader{r: stream(1, 4)},
		space: space, fencedKey: space.Sub("fenced").Bytes(),
		clients: map[string]*process{}, labels: map[election.Identity]string{}, requests: map[uuid.UUID]uint64{},
		handovers: map[uuid.UUID]string{}, checks: newChecks(),
	}
	p.nonces.r = stream(1, 5)
	p.election = p.electionOf(&p.nonces, 0)
	p.keys = newCheckedKeys(p.election.Subspace())
	p.open(memkv.Options{})
	for _, who := range []election.Registration{
		candidateOf("h", 1, 0), candidateOf("h", 2, 0), candidateOf("c", 1, 2), candidateOf("c", 2, 2),
		candidateOf("v", 1, 1), candidateOf("v", 2, 1),
	} {
		name := who.ID
		if who.Incarnation[0] == 2 {
			name += "'"
		}
		actor := p.bystander(name)
		actor.clocks, actor.me = clocks{}, who
		p.actors[name] = actor
	}
	p.operator = p.bystander("operator")
	p.actors["operator"], p.actors["evictor"] = p.operator, p.bystander("evictor")
	p.actors["evictor"].clocks, p.operator.clocks = clocks{}, clocks{}
	p.must("operator", func(tr kv.Transaction) error {
		_, err := p.election.InitializeWithConfig(tr, start.config)
		return err
	})
	for _, name := range []string{"h", "v", "c"} {
		p.must(name, func(tr kv.Transaction) error {
			return p.election.RegisterCandidate(tr, p.actors[name].me, p.wall())
		})
	}
	start.script(p)
	p.keep()
	p.acts = p.everyAct()
	return p
}

func candidateOf(id string, incarnation byte, priority int32) election.Registration {
	return election.Registration{
		Identity: election.Identity{ID: id, Incarnation: uuid.UUID{incarnation, id[0]}}, Priority: priority,
	}
}

// open opens a new database.
func (p *pairs) open(opts memkv.Options) {
	opts.Now = func() time.Time { return epoch.Add(p.now) }
	opts.Sleep = func(context.Context, time.Duration) error { return nil }
	opts.Jitter = func() float64 { return 0 }
	opts.OnCommit = func(e memkv.LogEntry) {
		if e.Client != "" { // not the client that restores the starting state
			p.commits++
			p.committed(e)
		}
	}
	p.db = memkv.New(opts)
}

// keep makes the present state the starting state.
func (p *pairs) keep() {
	p.finish("the starting state")
	p.version, p.started, p.checked = p.db.Version(), p.now, p.copied(&p.checks)
	leader := p.state.Leader
	if p.request = p.state.Request; !leader.Vacant() {
		p.token = leader.Token()
	}
	p.seen = election.Observation{
		Term: leader.Term, Nonce: leader.Nonce, TermSince: p.local(p.tenureAt),
		Ballot: leader.Ballot, BallotSince: p.local(p.leaderAt),
	}
	for _, record := range p.records {
		p.candidates[record.ID] = record.Candidate
	}
}

// local is the local clock of every actor.
func (p *pairs) local(at time.Duration) time.Time { return p.operator.clocks.local(at) }

// wall is the wall clock of every actor.
func (p *pairs) wall() time.Time { return p.operator.now().Wall }

// copied returns a copy of what the checks remember, without what later commits change.
func (p *pairs) copied(c *checks) checks {
	out := *c
	out.shadow.rows = slices.Clone(c.shadow.rows)
	out.holders = maps.Clone(c.holders)
	out.registeredAt = maps.Clone(c.registeredAt)
	out.records, out.overlapAllowed, out.repeated = maps.Clone(c.records), maps.Clone(c.overlapAllowed), maps.Clone(c.repeated)
	out.deleted = c.deleted.copied()
	return out
}

// restore returns to the starting state, in a new database.
func (p *pairs) restore() {
	p.checks, p.now = p.copied(&p.checked), p.started
	p.nonces.r = rand.New(rand.NewPCG(2, 5))
	p.result.Violations = nil
	p.open(memkv.Options{FirstVersion: p.version})
	p.must("", func(tr kv.Transaction) error {
		for _, row := range p.shadow.rows {
			tr.Set(row.Key, row.Value)
		}
		return nil
	})
}

// must runs a transaction on the way to a starting state.
func (p *pairs) must(actor string, do func(tr kv.Transaction) error) {
	err := p.db.NewClient(actor, memkv.ClientOptions{}).Transact(context.Background(), do)
	require.NoError(p.t, err, actor)
}

// pairTransaction is a transaction that has read and has not committed.
type pairTransaction struct {
	act *pairAct
	tr  kv.OwnedTransaction
	err error
}

func (p *pairs) read(a *pairAct) *pairTransaction {
	label := a.label
	if label == "" {
		label = a.name
	}
	ctx := memkv.WithLabel(context.Background(), label)
	tr, err := p.db.NewClient(a.actor, memkv.ClientOptions{}).CreateTransaction(ctx)
	if err == nil {
		err = a.do(tr)
	}
	return &pairTransaction{a, tr, err}
}

// commit reports whether the commit was refused because of a conflict.
func (t *pairTransaction) commit() (conflicts bool) {
	if t.err != nil {
		t.tr.Cancel()
		return false
	}
	t.err = t.tr.Commit()
	return kv.CodeOf(t.err) == kv.CodeNotCommitted
}

// runAll runs every schedule of every pair.
func (p *pairs) runAll() {
	effect := make([]bool, len(p.acts))
	for i := range p.acts {
		effect[i] = p.alone(&p.acts[i])
	}
	for i := range p.acts {
		if !effect[i] {
			continue
		}
		p.sequential(&p.acts[i])
		for j := range p.acts {
			if effect[j] && p.overlapped(&p.acts[i], &p.acts[j], false) {
				p.overlapped(&p.acts[i], &p.acts[j], true)
			}
		}
	}
}

// alone reports whether an act commits anything in the starting state. If it does not, no
// other transaction can see it or conflict with it.
func (p *pairs) alone(a *pairAct) bool {
	p.restore()
	before := p.commits
	p.read(a).commit()
	p.finish("%s by %s", a.name, a.actor)
	if p.commits == before {
		return false
	}
	p.effective++
	return true
}

// sequential runs every other act after the first one. It restores the state only after an
// act that has changed it.
func (p *pairs) sequential(first *pairAct) {
	changed := true
	for i := range p.acts {
		second := &p.acts[i]
		if changed {
			p.restore()
			p.read(first).commit()
		}
		before := p.commits
		p.read(second).commit()
		changed = p.commits != before || len(p.result.Violations) > 0
		p.finish("%s by %s, then %s by %s", first.name, first.actor, second.name, second.actor)
	}
}

// overlapped lets both acts read before either commits, and reports whether the second one
// conflicts. If again is true, the second one is retried then. An act that has read before
// its process unregisters does not commit after that, unless it is a fenced write. An act
// that has read before a settling commit does not write the leader record after that.
func (p *pairs) overlapped(first, second *pairAct, again bool) (conflicts bool) {
	p.restore()
	a, b := p.read(first), p.read(second)
	a.commit()
	commits, ballot := p.commits, p.state.Leader.Ballot
	conflicts = b.commit()
	left := first.name == "unregister" && first.actor == second.actor && p.commits > commits && second.name != "fenced write"
	settled := first.name == "settle" && p.state.Leader.Ballot != ballot && second.label != labelDelete
	if a.err == nil && (left || settled) {
		p.violated(invSettled, "%s commits after its process unregistered, or after a settling commit", second.name)
	}
	if conflicts && again {
		p.read(second).commit()
	}
	p.finish("%s by %s, beside %s by %s (conflict: %v, run again: %v)",
		first.name, first.actor, second.name, second.actor, conflicts, again)
	return conflicts
}

// finish records which invariants a schedule has broken.
func (p *pairs) finish(format string, args ...any) {
	p.schedules++
	for _, v := range p.result.Violations {
		v.Text += "\n\t" + fmt.Sprintf(format, args...)
		p.failures = append(p.failures, v)
	}
}

// observed are the options of a cycle for the expiry in the config.
func (p *pairs) observed(opts ...election.CycleOption) []election.CycleOption {
	if p.config.Expiry == fdbelection.ExpiryByObservation {
		opts = append(opts, election.WithObservation(p.seen, p.local(p.now)))
	}
	return opts
}
