package simulation

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
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
	small     *SmallWorld
	actors    []*actor
	closing   bool
	lost      int
	passed    int
	registers bool                     // an act is to register
	writtenAt map[string]time.Duration // when each key was written last
}

// actor is one that acts.
type actor struct {
	routine  *coroutine
	process  *process
	election *election.LeaderElection
	random   *reader // of the election
	acts     []Act
	ended    bool
	lose     bool // the acknowledgement of the commit that it makes now

	// What it takes along from one attempt to the next: which act it is at, and its tenure.
	at   int
	told election.Token

	// What it knows in this attempt: a hash of that, of the time and of all answers.
	knows uint64

	// The call that it is about to make, and what has happened since its read version.
	kind   memkv.CallKind
	commit *memkv.Commit
	fresh  bool          // it has no read version yet
	others []memkv.Range // that were written
	readAt time.Duration // when it was taken
}

// actorKey is the context key of an actor.
type actorKey struct{}

func newStage(small *SmallWorld) *stage {
	space := subspace.New("simulation")
	w := &World{
		shape: shape{config: fdbelection.RecipeConfig()}, identities: &reader{r: stream(1, 4)}, scheduleRand: stream(1, 1),
		space: space, fencedKey: space.Sub("fenced").Bytes(),
		clients: map[string]*process{}, labels: map[election.Identity]string{},
		recorder: newRecorder(Options{}), checks: newChecks(),
	}
	w.election = w.electionOf(w.identities, 0)
	w.checks.keys = newCheckedKeys(w.election.Subspace())
	s := &stage{World: w, small: small, writtenAt: map[string]time.Duration{}}
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
		s.registers = s.registers || slices.Contains(acts, ActRegister)
		s.addActor(i, acts)
	}
	return s
}

// electionOf returns the election for one caller. All clocks of a stage agree.
func (w *World) electionOf(random *reader, caller byte) *election.LeaderElection {
	return election.New(w.space.Sub("election"), election.WithRandom(random), election.WithClock(election.Clock{
		Run: uuid.UUID{0xc, caller}, Now: func() time.Time { return epoch.Add(w.now) },
	}))
}

func (s *stage) addActor(i int, acts []Act) {
	w := s.World
	p := w.bystander(string(rune('a' + i)))
	p.clocks = clocks{}
	p.me = election.Registration{
		Identity: election.Identity{ID: p.name, Incarnation: uuid.UUID{byte(i + 1)}}, Priority: s.small.Priorities[i],
	}
	random := &reader{r: stream(1, 40+uint64(i))}
	a := &actor{
		process: p, routine: newCoroutine(), acts: acts, random: random,
		election: w.electionOf(random, byte(i+1)),
	}
	db := w.db.NewClient(p.name, memkv.ClientOptions{})
	if s.small.Registered {
		_ = db.Transact(context.Background(), func(tr kv.Transaction) error {
			return a.election.RegisterCandidate(tr, p.me, p.now().Wall)
		})
	}
	ctx := context.WithValue(context.Background(), actorKey{}, a)
	a.routine.fn = func() {
		for a.at = range a.acts {
			_ = db.Transact(ctx, func(tr kv.Transaction) error { return s.attempt(tr, a) })
		}
	}
	s.actors = append(s.actors, a)
	s.run(a)
}

// attempt is one attempt at an act. All that it takes along from before is learnt
// here: what else the actor knew is forgotten.
func (s *stage) attempt(tr kv.Transaction, a *actor) error {
	a.knows = 0
	a.learn(fmt.Appendf(nil, "%d %s %x %d %s", a.at, a.told.Identity, fencedValue(a.told), a.random.drawn, s.now))
	return a.act(tr)
}

// act is one act, in one attempt.
func (a *actor) act(tr kv.Transaction) error {
	e, p, now := a.election, a.process, a.process.now().Wall
	switch a.acts[a.at] {
	case ActRegister:
		return e.RegisterCandidate(tr, p.me, now)
	case ActCycle:
		result, err := e.RunElectionCycle(tr, p.me, now)
		if err == nil && result.Leader.HeldBy(p.me.Identity) {
			a.told = result.Leader.Token()
		}
		return err
	case ActFenced:
		if err := e.RequireLeadership(tr, a.told); err != nil {
			return err
		}
		tr.Set(p.world.fencedKey, fencedValue(a.told))
		return nil
	case ActResign:
		return e.ResignLeadership(tr, a.told, now)
	case ActLeave:
		return e.UnregisterCandidate(tr, p.me.Identity, now)
	default:
		_, err := e.EvictDeadCandidates(tr, now)
		return err
	}
}

// choices are what can happen next: the next call of an actor; that, with its
// acknowledgement lost; that time passes. Reads are those that are reads, by bits.
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
	if len(out) > 0 && s.passed < len(s.small.Passing) {
		out = append(out, 2*len(s.actors))
	}
	return out, reads
}

// take makes a choice.
func (s *stage) take(choice int) {
	n := len(s.actors)
	switch {
	case choice == 2*n:
		s.now += s.small.Passing[s.passed]
		s.passed++
		s.db.Version() // so that it does not depend on what comes first after that
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
	a.learn([]byte(s.now.String())) // by its clock, which it may read after any call
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
	a.kind, a.commit, a.fresh = call.Kind, call.Commit, call.Kind == memkv.CallRead && call.Version == 0
	if a.fresh {
		a.others = nil
	}
	a.routine.yield(false)
	if a.fresh {
		a.fresh, a.readAt = false, s.now
	}
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

// written notes when a commit was made, and for every actor what was written since
// its read version.
func (s *stage) written(e *memkv.LogEntry) {
	for i := range e.Mutations {
		s.writtenAt[string(e.Mutations[i].Key)] = s.now
	}
	for _, a := range s.actors {
		if a.fresh || a.ended {
			continue
		}
		for _, r := range e.WriteConflicts {
			if !slices.ContainsFunc(a.others, func(o memkv.Range) bool { return compareRanges(o, r) == 0 }) {
				a.others = append(a.others, r)
			}
		}
	}
}

func compareRanges(a, b memkv.Range) int {
	return cmp.Or(bytes.Compare(a.Begin, b.Begin), bytes.Compare(a.End, b.End))
}

// conflicts reports whether the commit that an actor is about to make will be
// refused. That is all that still matters then of what others have written.
func (a *actor) conflicts() bool {
	return slices.ContainsFunc(a.others, func(o memkv.Range) bool {
		return slices.ContainsFunc(a.commit.ReadConflicts, func(r memkv.Range) bool {
			return bytes.Compare(o.Begin, r.End) < 0 && bytes.Compare(r.Begin, o.End) < 0
		})
	})
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
	number := func(n uint64) { _, _ = h.Write(binary.LittleEndian.AppendUint64(nil, n)) }
	number(uint64(s.lost)<<32 | uint64(s.passed))
	if s.registers {
		number(uint64(s.db.Version())) // it will be in the versionstamps
	}
	for _, row := range s.shadow.rows {
		write(row.Key)
		write(row.Value)
		number(uint64(s.writtenAt[string(row.Key)]))
	}
	for _, a := range s.actors {
		a.hash(s.now, write, number)
	}
	return h.Sum64()
}

// hash writes what an actor will do, as far as it is decided.
func (a *actor) hash(now time.Duration, write func([]byte), number func(uint64)) {
	if a.ended {
		write([]byte("ended"))
		return
	}
	number(a.knows)
	number(uint64(a.kind))
	if a.fresh {
		return
	}
	number(uint64(now - a.readAt)) // it may be too old
	switch {
	case a.commit == nil:
		slices.SortFunc(a.others, compareRanges)
		for _, r := range a.others {
			write(r.Begin)
			write(r.End)
		}
	case a.conflicts():
		write([]byte("conflict"))
	}
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
