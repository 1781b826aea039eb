package simulation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// act is what an actor of a small election does in one transaction, retries included.
type act int

// The acts.
const (
	actRegister    act = iota // register as a candidate
	actCycle                  // run an election cycle, with expiry by clock
	actFencedWrite            // make a fenced write under the last tenure that an attempt reported, committed or not
	actResign                 // resign that tenure
	actLeave                  // unregister
	actEvict                  // evict the candidates that have timed out
)

// smallElection is an election with a few actors.
type smallElection struct {
	// actors are the acts of each actor, in their order; priorities are theirs.
	actors     [][]act
	priorities []int32
	// registered says that all actors are candidates at the start.
	registered bool
	limits
}

// smallElectionWorld is a small election in the middle of a schedule.
type smallElectionWorld struct {
	*world
	schedule  *schedule
	registers bool // an act registers
}

// smallCandidate is an actor of a small election.
type smallCandidate struct {
	process  *process
	election *election.LeaderElection
	random   *reader // of the election
	acts     []act

	// Kept from one attempt to the next: its current act, and its tenure.
	at    int
	token election.Token
}

func (small smallElection) open() *schedule {
	space := subspace.New("simulation")
	w := &world{
		kernel: newKernel(Options{Seed: 1}),
		shape:  shape{config: fdbelection.RecipeConfig()}, identities: &reader{r: stream(1, 4)},
		space: space, fencedKey: space.Sub("fenced").Bytes(),
		clients: map[string]*process{}, labels: map[election.Identity]string{},
		checks: newChecks(),
	}
	w.election = w.electionOf(w.identities, 0)
	w.checks.keys = newCheckedKeys(w.election.Subspace())
	e := &smallElectionWorld{world: w}
	e.schedule = newSchedule(&w.kernel, small.limits, e)
	_ = w.db.Transact(context.Background(), func(tr kv.Transaction) error {
		_, err := w.election.InitializeWithConfig(tr, w.config)
		return err
	})
	for i, acts := range small.actors {
		e.registers = e.registers || slices.Contains(acts, actRegister)
		e.addCandidate(&small, i)
	}
	return e.schedule
}

// electionOf returns the election for one caller. All clocks agree.
func (w *world) electionOf(random *reader, caller byte) *election.LeaderElection {
	return election.New(w.space.Sub("election"), election.WithRandom(random), election.WithClock(election.Clock{
		Run: uuid.UUID{0xc, caller}, Now: func() time.Time { return epoch.Add(w.now) },
	}))
}

func (e *smallElectionWorld) addCandidate(small *smallElection, i int) {
	w := e.world
	p := w.bystander(string(rune('a' + i)))
	p.clocks = clocks{}
	p.me = election.Registration{
		Identity: election.Identity{ID: p.name, Incarnation: uuid.UUID{byte(i + 1)}}, Priority: small.priorities[i],
	}
	random := &reader{r: stream(1, 40+uint64(i))}
	c := &smallCandidate{process: p, acts: small.actors[i], random: random, election: w.electionOf(random, byte(i+1))}
	db := w.db.NewClient(p.name, memkv.ClientOptions{})
	if small.registered {
		_ = db.Transact(context.Background(), func(tr kv.Transaction) error {
			return c.election.RegisterCandidate(tr, p.me, p.now().Wall)
		})
	}
	e.schedule.addActor(&actor{kept: c.kept}, func(ctx context.Context) {
		for c.at = range c.acts {
			_ = db.Transact(ctx, c.act)
		}
	})
}

func (c *smallCandidate) kept() []byte {
	return fmt.Appendf(nil, "%d %s %x %d", c.at, c.token.Identity, fencedValue(c.token), c.random.drawn)
}

// act is one act, in one attempt.
func (c *smallCandidate) act(tr kv.Transaction) error {
	e, p, now := c.election, c.process, c.process.now().Wall
	switch c.acts[c.at] {
	case actRegister:
		return e.RegisterCandidate(tr, p.me, now)
	case actCycle:
		result, err := e.RunElectionCycle(tr, p.me, now)
		if err == nil && result.Leader.HeldBy(p.me.Identity) {
			c.token = result.Leader.Token()
		}
		return err
	case actFencedWrite:
		if err := e.RequireLeadership(tr, c.token); err != nil {
			return err
		}
		tr.Set(p.world.fencedKey, fencedValue(c.token))
		return nil
	case actResign:
		return e.ResignLeadership(tr, c.token, now)
	case actLeave:
		return e.UnregisterCandidate(tr, p.me.Identity, now)
	default:
		_, err := e.EvictDeadCandidates(tr, now)
		return err
	}
}

func (e *smallElectionWorld) checkState() {} // every check is of a commit

func (e *smallElectionWorld) hashState(h *stateHash) {
	if e.registers {
		h.number(uint64(e.db.Version())) // it will be in versionstamps
	}
}

func (e *smallElectionWorld) dependOn([]byte) bool { return true }

func (e *smallElectionWorld) stored() []kv.KeyValue { return e.shadow.rows }
