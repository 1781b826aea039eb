package simulation

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"hash"
	"hash/fnv"
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
	// hashState adds to a hash what the actors depend on and what the checks remember.
	hashState(h *stateHash)
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
}

// actor is one actor of a small world.
type actor struct {
	routine *coroutine
	// kept returns what it keeps from one attempt to the next.
	kept  func() []byte
	ended bool
	fate  fate // of the next commit

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

// view is what a transaction sees: everything up to its read version.
type view struct {
	writtenSince []memkv.Range // by all actors
	readAt       time.Duration // when it got its read version
}

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
	s := &schedule{kernel: k, limits: l, checked: checked, writtenAt: map[string]time.Duration{}}
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

func (s *schedule) beforeCall(ctx context.Context, call *memkv.Call) error {
	a, _ := ctx.Value(actorKey{}).(*actor)
	if a == nil {
		return nil
	}
	if s.closing {
		return errCancelled
	}
	a.kind, a.commit = call.Kind, call.Commit
	a.noReadVersion = call.Version == 0 && (call.Kind == memkv.CallRead || call.Kind == memkv.CallReadVersion)
	if a.noReadVersion { // a new attempt: what it kept from earlier ones is all it knows
		a.view.writtenSince, a.known = nil, 0
		a.learn(a.kept())
		a.learn([]byte(s.now.String()))
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
	if lost := a.fate == fateLost; lost {
		a.fate = fateAnswered
		if call.Err == nil {
			a.learn([]byte("lost"))
			return kv.Error{Code: kv.CodeCommitUnknownResult, Committing: true}
		}
	}
	return nil
}

// written notes the time of a commit and, for every transaction that is under way, what was
// written since its read version.
func (s *schedule) written(e *memkv.LogEntry) {
	for i := range e.Mutations {
		s.writtenAt[string(e.Mutations[i].Key)] = s.now
	}
	for _, a := range s.actors {
		if !a.noReadVersion && !a.ended {
			a.view.add(e.WriteConflicts)
		}
	}
	for _, l := range s.late {
		l.view.add(e.WriteConflicts)
	}
}

func (v *view) add(written []memkv.Range) {
	for _, r := range written {
		if !slices.ContainsFunc(v.writtenSince, func(o memkv.Range) bool { return compareRanges(o, r) == 0 }) {
			v.writtenSince = append(v.writtenSince, r)
		}
	}
}

func compareRanges(a, b memkv.Range) int {
	return cmp.Or(bytes.Compare(a.Begin, b.Begin), bytes.Compare(a.End, b.End))
}

// conflicts reports whether a commit with these read conflicts will be refused. Nothing else
// matters then of what others have written.
func (v *view) conflicts(reads []memkv.Range) bool {
	return slices.ContainsFunc(v.writtenSince, func(o memkv.Range) bool {
		return slices.ContainsFunc(reads, func(r memkv.Range) bool {
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

// stateHash is the hash of a state.
type stateHash struct{ hash.Hash64 }

func (h *stateHash) bytes(b []byte) {
	_, _ = h.Write(b)
	_, _ = h.Write([]byte{0xff, byte(len(b))})
}

func (h *stateHash) number(n uint64) { _, _ = h.Write(binary.LittleEndian.AppendUint64(nil, n)) }

// row adds a row of the database, with the time of its last write.
func (h *stateHash) row(s *schedule, row kv.KeyValue) {
	h.bytes(row.Key)
	h.bytes(row.Value)
	h.number(uint64(s.writtenAt[string(row.Key)]))
}

// hash identifies the state.
func (s *schedule) hash() uint64 {
	h := &stateHash{fnv.New64a()}
	h.number(uint64(s.losses)<<32 | uint64(s.passed))
	s.checked.hashState(h)
	for _, a := range s.actors {
		a.hash(s.now, h)
	}
	for _, l := range s.late {
		if l.over() {
			h.bytes([]byte("over"))
			continue
		}
		h.number(l.known)
		h.number(uint64(s.now - l.view.readAt))
	}
	return h.Sum64()
}

// over reports whether the commit has arrived, or would be refused.
func (l *lateCommit) over() bool { return l.landed || l.view.conflicts(l.reads) }

// hash adds everything that determines what the actor does next.
func (a *actor) hash(now time.Duration, h *stateHash) {
	if a.ended {
		h.bytes([]byte("ended"))
		return
	}
	h.number(a.known)
	h.number(uint64(a.kind))
	if a.noReadVersion {
		return
	}
	h.number(uint64(now - a.view.readAt)) // it may be too old
	switch {
	case a.commit == nil:
		slices.SortFunc(a.view.writtenSince, compareRanges)
		for _, r := range a.view.writtenSince {
			h.bytes(r.Begin)
			h.bytes(r.End)
		}
	case a.view.conflicts(a.commit.ReadConflicts):
		h.bytes([]byte("conflict"))
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
