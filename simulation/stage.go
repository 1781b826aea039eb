package simulation

import (
	"context"
	"hash/fnv"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// stage is a small world in the middle of a schedule.
type stage struct {
	*World
	small    *SmallWorld
	actors   []*actor
	closing  bool
	lost     int
	expiries int
}

// actor is one that acts.
type actor struct {
	routine *coroutine
	process *process
	kind    memkv.CallKind // of the call that it is about to make
	ended   bool
	lose    bool // the acknowledgement of the commit that it makes now
	knows   uint64
	fresh   bool     // it has no read version yet
	dirty   []string // keys written since its read version
}

// actorKey is the context key of an actor.
type actorKey struct{}

func newStage(small *SmallWorld) *stage {
	space := subspace.New("simulation")
	w := &World{
		shape: shape{config: fdbelection.DefaultConfig()}, identities: &reader{r: stream(1, 4)}, scheduleRand: stream(1, 1),
		space: space, fencedKey: space.Sub("fenced").Bytes(), election: election.New(space.Sub("election")),
		clients: map[string]*process{}, labels: map[election.Identity]string{},
		recorder: newRecorder(Options{}), checks: newChecks(),
	}
	w.checks.keys = newCheckedKeys(w.election.Subspace())
	s := &stage{World: w, small: small}
	w.db = memkv.New(memkv.Options{
		Now:    func() time.Time { return epoch.Add(w.now) },
		Sleep:  func(context.Context, time.Duration) error { return nil },
		Jitter: func() float64 { return 0 },
		Hooks:  &memkv.Hooks{Before: s.before, After: s.afterCall},
		OnCommit: func(e memkv.LogEntry) {
			w.committed(e)
			s.written(&e)
		},
	})
	_ = w.db.Transact(context.Background(), func(tr kv.Transaction) error {
		_, err := w.election.InitializeWithConfig(tr, w.config)
		return err
	})
	for i, acts := range small.Actors {
		s.addActor(i, acts)
	}
	return s
}

func (s *stage) addActor(i int, acts []Act) {
	w := s.World
	p := w.bystander(string(rune('a' + i)))
	p.clocks = clocks{}
	p.me = election.Registration{
		Identity: election.Identity{ID: p.name, Incarnation: uuid.UUID{byte(i + 1)}}, Priority: s.small.Priorities[i],
	}
	nonces := election.New(w.election.Subspace(), election.WithRandom(&reader{stream(1, 40+uint64(i))}))
	db := w.db.NewClient(p.name, memkv.ClientOptions{})
	if s.small.Registered {
		_ = db.Transact(context.Background(), func(tr kv.Transaction) error {
			return nonces.RegisterCandidate(tr, p.me, p.now().Wall)
		})
	}
	a := &actor{process: p, routine: newCoroutine()}
	ctx := context.WithValue(context.Background(), actorKey{}, a)
	a.routine.fn = func() {
		var told election.Token
		for _, act := range acts {
			_ = db.Transact(ctx, func(tr kv.Transaction) error { return s.act(tr, nonces, p, act, &told) })
		}
	}
	s.actors = append(s.actors, a)
	s.run(a)
}

// act is one act, in one attempt.
func (s *stage) act(tr kv.Transaction, e *election.LeaderElection, p *process, act Act, told *election.Token) error {
	now := p.now().Wall
	switch act {
	case ActRegister:
		return e.RegisterCandidate(tr, p.me, now)
	case ActCycle:
		result, err := e.RunElectionCycle(tr, p.me, now)
		if err == nil && result.Leader.HeldBy(p.me.Identity) {
			*told = result.Leader.Token()
		}
		return err
	case ActFenced:
		if err := e.RequireLeadership(tr, *told); err != nil {
			return err
		}
		tr.Set(s.fencedKey, fencedValue(*told))
		return nil
	case ActResign:
		return e.ResignLeadership(tr, *told, now)
	case ActLeave:
		return e.UnregisterCandidate(tr, p.me.Identity, now)
	default:
		_, err := e.EvictDeadCandidates(tr, now)
		return err
	}
}

// choices are what can happen next: the next call of an actor; that, with its
// acknowledgement lost; the end of a lease. Reads are those that are reads, by bits.
func (s *stage) choices() (out []int, reads uint64) {
	for i, a := range s.actors {
		if a.ended {
			continue
		}
		out = append(out, i)
		if a.kind == memkv.CallRead {
			reads |= 1 << i
		}
		if a.kind == memkv.CallCommit && s.lost < s.small.Lost {
			out = append(out, len(s.actors)+i)
		}
	}
	if len(out) > 0 && s.expiries < s.small.Expiries {
		out = append(out, 2*len(s.actors))
	}
	return out, reads
}

// take makes a choice.
func (s *stage) take(choice int) {
	n := len(s.actors)
	switch {
	case choice == 2*n:
		s.expiries++
		s.now += s.World.config.CandidateTimeout + 1 // longer than the lease
		s.db.Version()                               // so that it does not depend on what comes first after that
	case choice >= n:
		s.lost++
		s.actors[choice-n].lose = true
		s.run(s.actors[choice-n])
	default:
		s.run(s.actors[choice])
	}
}

// run has an actor make the call that it waits with, and go on to the next one.
func (s *stage) run(a *actor) {
	a.learn([]byte(s.now.String()))
	a.ended, _ = a.routine.next()
}

func (s *stage) before(ctx context.Context, call *memkv.Call) error {
	a, _ := ctx.Value(actorKey{}).(*actor)
	if a == nil {
		return nil
	}
	if s.closing {
		return errCancelled
	}
	a.kind, a.fresh = call.Kind, call.Kind == memkv.CallRead && call.Version == 0
	if a.fresh {
		a.dirty = nil
	}
	a.routine.yield(false)
	a.fresh = false
	if s.closing {
		return errCancelled
	}
	return nil
}

func (s *stage) afterCall(ctx context.Context, call *memkv.Call) error {
	a, _ := ctx.Value(actorKey{}).(*actor)
	if a == nil {
		return nil
	}
	for _, read := range call.Reads {
		a.learn(read.Value)
		for _, row := range read.Rows {
			a.learn(row.Value)
		}
	}
	a.learn([]byte{byte(call.Kind), byte(kv.CodeOf(call.Err))})
	if lose := a.lose; lose {
		a.lose = false
		if call.Err == nil {
			a.learn([]byte("lost"))
			return kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true}
		}
	}
	return nil
}

// written notes for every actor what was written since its read version.
func (s *stage) written(e *memkv.LogEntry) {
	for _, a := range s.actors {
		if a.fresh || a.ended {
			continue
		}
		for _, r := range e.WriteConflicts {
			if key := string(r.Begin); !slices.Contains(a.dirty, key) {
				a.dirty = append(a.dirty, key)
			}
		}
	}
}

// learn takes in an answer.
func (a *actor) learn(b []byte) {
	h := a.knows ^ 14695981039346656037
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	a.knows = (h ^ uint64(len(b)+1)) * 1099511628211
}

// hash tells states apart.
func (s *stage) hash() uint64 {
	h := fnv.New64a()
	write := func(b []byte) {
		_, _ = h.Write(b)
		_, _ = h.Write([]byte{0xff, byte(len(b))})
	}
	for _, row := range s.shadow.rows {
		write(row.Key)
		write(row.Value)
	}
	for _, a := range s.actors {
		slices.Sort(a.dirty)
		for _, key := range a.dirty {
			write([]byte(key))
		}
		write([]byte{byte(a.kind), byte(s.lost), byte(s.expiries)})
		for shift := 0; shift < 64; shift += 8 {
			_, _ = h.Write([]byte{byte(a.knows >> shift)})
		}
		if a.ended {
			write([]byte("ended"))
		}
	}
	return h.Sum64()
}

// close lets the actors come to their end, without another call, so that nothing
// is left behind.
func (s *stage) close() {
	s.closing = true
	for _, a := range s.actors {
		for !a.ended {
			a.ended, _ = a.routine.next()
		}
		a.routine.stop()
	}
}
