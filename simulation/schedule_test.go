package simulation

import (
	"context"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// smallWorld is what is explored: an election or a group.
type smallWorld interface {
	// open returns the world at its beginning.
	open() *schedule
}

// limits bound what a schedule injects.
type limits struct {
	// lost is how many acknowledgements may be lost (1021, applied).
	lost int
	// delayed is how many commits may arrive after their actor has given up (1031), or never.
	// Their actor goes on with its next act.
	delayed int
	// passing are steps of time, each of which may pass at any point. No sum of steps may
	// come within a millisecond of five seconds. At that age a read version is too old, and
	// the limit counts versions, which commits raise too.
	passing []time.Duration
}

// checkedWorld is a small world of one kind, with its checks.
type checkedWorld interface {
	// committed checks a commit.
	committed(e memkv.LogEntry)
	// checkState checks what holds between two calls.
	checkState()
	// dependOn reports whether an act may depend on a key.
	dependOn(key []byte) bool
	// hashState adds to a hash what the checks remember of the log, and what they know of the
	// actors.
	hashState(h *stateHash)
	// stored is the database, as the log describes it.
	stored() []kv.KeyValue
}

// schedule is a small world in the middle of a schedule.
type schedule struct {
	*kernel
	limits
	checked   checkedWorld
	actors    []*actor
	closing   bool
	losses    int // how many acknowledgements were lost
	passed    int // how many steps of time have passed
	late      []*lateCommit
	writtenAt map[string]time.Duration // when each key was last written
	values    map[string]string        // of all keys
}

// actor is one actor of a small world.
type actor struct {
	routine *coroutine
	// kept returns what it keeps from one attempt to the next.
	kept  func() []byte
	ended bool
	fate  fate // of the next commit
	// failed are the codes of the calls that failed since the owner has reset it.
	failed []int

	// known is a hash of what it kept, of the time, and of all answers in this attempt.
	known uint64

	// The call that it makes next, and what has happened since its read version.
	kind          memkv.CallKind
	commit        *memkv.Commit
	noReadVersion bool // it has no read version yet
	view          view
}

// fate is what becomes of a commit.
type fate int

const (
	fateAnswered fate = iota
	fateLost          // it is applied, and its acknowledgement is lost
	fateLate          // its actor gives up before it arrives
)

// lateCommit is a commit on its way whose actor has given up.
type lateCommit struct {
	*memkv.LateCommit
	known  uint64 // what its actor knew then. It determines the commit
	reads  []memkv.Range
	view   view
	landed bool
}

// actorKey is the context key of an actor.
type actorKey struct{}

// newSchedule opens the database of a small world.
func newSchedule(k *kernel, l limits, checked checkedWorld) *schedule {
	s := &schedule{kernel: k, limits: l, checked: checked, writtenAt: map[string]time.Duration{}, values: map[string]string{}}
	k.db = memkv.New(memkv.Options{
		Now:    func() time.Time { return epoch.Add(k.now) },
		Sleep:  func(context.Context, time.Duration) error { return nil },
		Jitter: func() float64 { return 0 },
		Hooks:  &memkv.Hooks{Before: s.beforeCall, After: s.afterCall},
		OnCommit: func(e memkv.LogEntry) {
			checked.committed(e)
			s.written(&e)
		},
	})
	return s
}

// addActor adds an actor, and lets it run up to its first call. Calls with the context of run
// are calls of the actor.
func (s *schedule) addActor(a *actor, run func(ctx context.Context)) {
	ctx := context.WithValue(context.Background(), actorKey{}, a)
	a.routine = newCoroutine()
	a.routine.fn = func() { run(ctx) }
	s.actors = append(s.actors, a)
	s.resume(a)
}

// choices are the possible next steps: the next call of an actor, the same with its
// acknowledgement lost or its commit late, time that passes, or a late commit that arrives.
// reads is the bit set of those that are reads.
func (s *schedule) choices() (out []int, reads uint64) {
	n := len(s.actors)
	for i, a := range s.actors {
		if a.ended {
			continue
		}
		out = append(out, i)
		if a.kind == memkv.CallRead {
			reads |= 1 << i
		}
		if a.kind == memkv.CallCommit && s.losses < s.lost {
			out = append(out, n+i)
		}
		if a.kind == memkv.CallCommit && len(s.late) < s.delayed {
			out = append(out, 2*n+i)
		}
	}
	for i, l := range s.late {
		if !l.over() {
			out = append(out, 3*n+1+i)
		}
	}
	if len(out) > 0 && s.passed < len(s.passing) {
		out = append(out, 3*n)
	}
	return out, reads
}

// choose takes one of the choices.
func (s *schedule) choose(choice int) {
	n := len(s.actors)
	switch {
	case choice > 3*n:
		l := s.late[choice-3*n-1]
		l.landed = true
		_, _ = l.Land()
	case choice == 3*n:
		s.now += s.passing[s.passed]
		s.passed++
		s.db.Version() // otherwise it would depend on the next call
	default:
		a := s.actors[choice%n]
		if a.fate = fate(choice / n); a.fate == fateLost {
			s.losses++
		}
		s.resume(a)
	}
	s.checked.checkState()
}

// resume lets an actor make its pending call and run up to the next one.
func (s *schedule) resume(a *actor) {
	a.learn([]byte(s.now.String())) // it may read its clock after any call
	a.ended, _ = a.routine.next()
}

// wait lets others act and time pass before an actor looks at its clock.
func (s *schedule) wait(a *actor) {
	if s.closing {
		return
	}
	a.kind, a.commit = 0, nil
	s.begin(a)
	a.routine.yield(false)
}

// begin begins an attempt. What the actor kept from earlier ones is all it knows.
func (s *schedule) begin(a *actor) {
	a.noReadVersion, a.view, a.known = true, view{}, 0
	a.learn(a.kept())
	a.learn([]byte(s.now.String()))
}

func (s *schedule) beforeCall(ctx context.Context, call *memkv.Call) error {
	a, _ := ctx.Value(actorKey{}).(*actor)
	if a == nil {
		return nil
	}
	if s.closing {
		return errCancelled
	}
	a.kind, a.commit = call.Kind, call.Commit
	a.noReadVersion = false
	if call.Version == 0 && (call.Kind == memkv.CallRead || call.Kind == memkv.CallReadVersion) {
		s.begin(a)
	}
	a.routine.yield(false)
	if a.noReadVersion {
		a.noReadVersion, a.view.readAt = false, s.now
	}
	switch {
	case s.closing:
		return errCancelled
	case a.fate == fateLate:
		a.fate = fateAnswered
		a.learn([]byte("late"))
		v := a.view
		v.writtenSince = slices.Clone(v.writtenSince)
		s.late = append(s.late, &lateCommit{LateCommit: call.Detach(), known: a.known, reads: slices.Clone(a.commit.ReadConflicts), view: v})
		return kv.Error{Code: kv.CodeTransactionTimedOut, Committing: true}
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
	if call.Err != nil {
		a.failed = append(a.failed, kv.CodeOf(call.Err))
	}
	if lost := a.fate == fateLost; lost {
		a.fate = fateAnswered
		if call.Err == nil {
			a.learn([]byte("lost"))
			a.failed = append(a.failed, kv.CodeCommitUnknownResult)
			return kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true}
		}
	}
	return nil
}

// written notes the time of a commit and, for every transaction that is under way, what was
// written since its read version.
func (s *schedule) written(e *memkv.LogEntry) {
	replaced := map[string]string{}
	for i := range e.Mutations {
		s.apply(&e.Mutations[i], replaced)
	}
	ranges := slices.DeleteFunc(slices.Clone(e.WriteConflicts), func(r memkv.Range) bool { return !s.checked.dependOn(r.Begin) })
	for _, a := range s.actors {
		if !a.noReadVersion && !a.ended {
			a.view.add(ranges, replaced)
		}
	}
	for _, l := range s.late {
		l.view.add(ranges, nil) // it reads no more
	}
}

// apply notes a write, and adds to replaced what the keys had before.
func (s *schedule) apply(m *memkv.Mutation, replaced map[string]string) {
	s.writtenAt[string(m.Key)] = s.now
	replace := func(key string) {
		if _, again := replaced[key]; !again && s.checked.dependOn([]byte(key)) {
			replaced[key] = s.values[key]
		}
	}
	if m.Kind == memkv.MutationSet {
		replace(string(m.Key))
		s.values[string(m.Key)] = string(m.Value)
		return
	}
	for key := range s.values {
		if key >= string(m.Key) && key < string(m.Value) {
			replace(key)
			delete(s.values, key)
		}
	}
}

// failures returns how many of these calls failed with a code.
func (a *actor) failures(code int) int {
	n := 0
	for _, failed := range a.failed {
		if failed == code {
			n++
		}
	}
	return n
}

// learn adds an answer to what the actor knows.
func (a *actor) learn(b []byte) {
	h := a.known ^ 14695981039346656037
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	a.known = (h ^ uint64(len(b)+1)) * 1099511628211
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
