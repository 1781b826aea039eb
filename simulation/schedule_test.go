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

// schedule is a small world in the middle of a schedule.
type schedule struct {
	*world
	small     *smallWorld
	actors    []*actor
	closing   bool
	lost      int
	passed    int
	registers bool                     // an act registers
	writtenAt map[string]time.Duration // when each key was last written
}

// actor is one actor of a small world.
type actor struct {
	routine  *coroutine
	process  *process
	election *election.LeaderElection
	random   *reader // of the election
	acts     []act
	ended    bool
	lose     bool // lose the acknowledgement of the next commit

	// Kept from one attempt to the next: its current act, and its tenure.
	at    int
	token election.Token

	// known is a hash of that, of the time, and of all answers in this attempt.
	known uint64

	// The call that it makes next, and what has happened since its read version.
	kind          memkv.CallKind
	commit        *memkv.Commit
	noReadVersion bool          // it has no read version yet
	writtenSince  []memkv.Range // by all actors
	readAt        time.Duration // when it got its read version
}

// actorKey is the context key of an actor.
type actorKey struct{}

func newSchedule(small *smallWorld) *schedule {
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
	s := &schedule{world: w, small: small, writtenAt: map[string]time.Duration{}}
	w.db = memkv.New(memkv.Options{
		Now:    func() time.Time { return epoch.Add(w.now) },
		Sleep:  func(context.Context, time.Duration) error { return nil },
		Jitter: func() float64 { return 0 },
		Hooks:  &memkv.Hooks{Before: s.beforeCall, After: s.afterCall},
		OnCommit: func(e memkv.LogEntry) {
			w.committed(e)
			s.written(&e)
		},
	})
	_ = w.db.Transact(context.Background(), func(tr kv.Transaction) error {
		_, err := w.election.InitializeWithConfig(tr, w.config)
		return err
	})
	for i, acts := range small.actors {
		s.registers = s.registers || slices.Contains(acts, actRegister)
		s.addActor(i, acts)
	}
	return s
}

// electionOf returns the election for one caller. All clocks agree.
func (w *world) electionOf(random *reader, caller byte) *election.LeaderElection {
	return election.New(w.space.Sub("election"), election.WithRandom(random), election.WithClock(election.Clock{
		Run: uuid.UUID{0xc, caller}, Now: func() time.Time { return epoch.Add(w.now) },
	}))
}

func (s *schedule) addActor(i int, acts []act) {
	w := s.world
	p := w.bystander(string(rune('a' + i)))
	p.clocks = clocks{}
	p.me = election.Registration{
		Identity: election.Identity{ID: p.name, Incarnation: uuid.UUID{byte(i + 1)}}, Priority: s.small.priorities[i],
	}
	random := &reader{r: stream(1, 40+uint64(i))}
	a := &actor{
		process: p, routine: newCoroutine(), acts: acts, random: random,
		election: w.electionOf(random, byte(i+1)),
	}
	db := w.db.NewClient(p.name, memkv.ClientOptions{})
	if s.small.registered {
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
	s.resume(a)
}

// attempt is one attempt at an act. The actor knows what it kept from earlier attempts,
// and nothing else.
func (s *schedule) attempt(tr kv.Transaction, a *actor) error {
	a.known = 0
	a.learn(fmt.Appendf(nil, "%d %s %x %d %s", a.at, a.token.Identity, fencedValue(a.token), a.random.drawn, s.now))
	return a.act(tr)
}

// act is one act, in one attempt.
func (a *actor) act(tr kv.Transaction) error {
	e, p, now := a.election, a.process, a.process.now().Wall
	switch a.acts[a.at] {
	case actRegister:
		return e.RegisterCandidate(tr, p.me, now)
	case actCycle:
		result, err := e.RunElectionCycle(tr, p.me, now)
		if err == nil && result.Leader.HeldBy(p.me.Identity) {
			a.token = result.Leader.Token()
		}
		return err
	case actFencedWrite:
		if err := e.RequireLeadership(tr, a.token); err != nil {
			return err
		}
		tr.Set(p.world.fencedKey, fencedValue(a.token))
		return nil
	case actResign:
		return e.ResignLeadership(tr, a.token, now)
	case actLeave:
		return e.UnregisterCandidate(tr, p.me.Identity, now)
	default:
		_, err := e.EvictDeadCandidates(tr, now)
		return err
	}
}

// choices are the possible next steps: the next call of an actor, the same with its
// acknowledgement lost, or time that passes. reads is the bit set of those that are reads.
func (s *schedule) choices() (out []int, reads uint64) {
	for i, a := range s.actors {
		if a.ended {
			continue
		}
		out = append(out, i)
		if a.kind == memkv.CallRead {
			reads |= 1 << i
		}
		if a.kind == memkv.CallCommit && s.lost < s.small.lost {
			out = append(out, len(s.actors)+i)
		}
	}
	if len(out) > 0 && s.passed < len(s.small.passing) {
		out = append(out, 2*len(s.actors))
	}
	return out, reads
}

// choose takes one of the choices.
func (s *schedule) choose(choice int) {
	n := len(s.actors)
	switch {
	case choice == 2*n:
		s.now += s.small.passing[s.passed]
		s.passed++
		s.db.Version() // otherwise it would depend on the next call
	case choice >= n:
		s.lost++
		s.actors[choice-n].lose = true
		s.resume(s.actors[choice-n])
	default:
		s.resume(s.actors[choice])
	}
}

// resume lets an actor make its pending call and run up to the next one.
func (s *schedule) resume(a *actor) {
	a.learn([]byte(s.now.String())) // it may read its clock after any call
	a.ended, _ = a.routine.next()
}

func (s *schedule) beforeCall(ctx context.Context, call *memkv.Call) error {
	a, _ := ctx.Value(actorKey{}).(*actor)
	if a == nil {
		return nil
	}
	if s.closing {
		return errCancelled
	}
	a.kind, a.commit, a.noReadVersion = call.Kind, call.Commit, call.Kind == memkv.CallRead && call.Version == 0
	if a.noReadVersion {
		a.writtenSince = nil
	}
	a.routine.yield(false)
	if a.noReadVersion {
		a.noReadVersion, a.readAt = false, s.now
	}
	if s.closing {
		return errCancelled
	}
	return nil
}

func (s *schedule) afterCall(ctx context.Context, call *memkv.Call) error {
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

// written notes the time of a commit and, for every actor, what was written since its read
// version.
func (s *schedule) written(e *memkv.LogEntry) {
	for i := range e.Mutations {
		s.writtenAt[string(e.Mutations[i].Key)] = s.now
	}
	for _, a := range s.actors {
		if a.noReadVersion || a.ended {
			continue
		}
		for _, r := range e.WriteConflicts {
			if !slices.ContainsFunc(a.writtenSince, func(o memkv.Range) bool { return compareRanges(o, r) == 0 }) {
				a.writtenSince = append(a.writtenSince, r)
			}
		}
	}
}

func compareRanges(a, b memkv.Range) int {
	return cmp.Or(bytes.Compare(a.Begin, b.Begin), bytes.Compare(a.End, b.End))
}

// conflicts reports whether the pending commit of an actor will be refused. Nothing else
// matters then of what others have written.
func (a *actor) conflicts() bool {
	return slices.ContainsFunc(a.writtenSince, func(o memkv.Range) bool {
		return slices.ContainsFunc(a.commit.ReadConflicts, func(r memkv.Range) bool {
			return bytes.Compare(o.Begin, r.End) < 0 && bytes.Compare(r.Begin, o.End) < 0
		})
	})
}

// learn adds an answer to what the actor knows.
func (a *actor) learn(b []byte) {
	h := a.known ^ 14695981039346656037
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	a.known = (h ^ uint64(len(b)+1)) * 1099511628211
}

// hash identifies the state.
func (s *schedule) hash() uint64 {
	h := fnv.New64a()
	write := func(b []byte) {
		_, _ = h.Write(b)
		_, _ = h.Write([]byte{0xff, byte(len(b))})
	}
	number := func(n uint64) { _, _ = h.Write(binary.LittleEndian.AppendUint64(nil, n)) }
	number(uint64(s.lost)<<32 | uint64(s.passed))
	if s.registers {
		number(uint64(s.db.Version())) // it will be in versionstamps
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

// hash writes everything that determines what the actor does next.
func (a *actor) hash(now time.Duration, write func([]byte), number func(uint64)) {
	if a.ended {
		write([]byte("ended"))
		return
	}
	number(a.known)
	number(uint64(a.kind))
	if a.noReadVersion {
		return
	}
	number(uint64(now - a.readAt)) // it may be too old
	switch {
	case a.commit == nil:
		slices.SortFunc(a.writtenSince, compareRanges)
		for _, r := range a.writtenSince {
			write(r.Begin)
			write(r.End)
		}
	case a.conflicts():
		write([]byte("conflict"))
	}
}

// close lets the actors run to their end without another call.
func (s *schedule) close() {
	s.closing = true
	for _, a := range s.actors {
		for !a.ended {
			a.ended, _ = a.routine.next()
		}
		a.routine.stop()
	}
}
