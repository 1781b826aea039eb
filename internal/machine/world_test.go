package machine

import (
	"container/heap"
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// world is what a machine meets in a random run: a seat that follows the protocol
// in outline, another contender, work that may not stop, and a store that is slow,
// fails, loses answers and lets commits land late. All of it comes of one seed.
type world struct {
	random *rand.Rand
	now    time.Duration
	queue  timeline
	count  int
	post   func(Event) // to the machine
	faults float64

	exists     bool // the election
	config     fdbelection.Config
	leader     election.LeaderRecord
	version    int // of the leader record: also raised by who settles
	intent     election.Request
	registered bool // alice
	doubled    bool // another process has taken her name
	crashed    bool // an earlier start of hers has left its record
	foundAt    time.Duration
	beats      uint64
	bobLives   bool
	bobBeats   uint64
	bobSaw     election.Observation
	watches    map[uint64]*run
	running    map[uint64]*run
	restored   bool // ballots have gone back
}

type happening struct {
	at    time.Duration
	order int
	do    func()
}

type timeline []happening

func (q timeline) Len() int { return len(q) }
func (q timeline) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}
func (q timeline) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *timeline) Push(x any)   { *q = append(*q, x.(happening)) }
func (q *timeline) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func (w *world) after(d time.Duration, do func()) {
	w.count++
	heap.Push(&w.queue, happening{w.now + max(d, 0), w.count, do})
}

func (w *world) chance(p float64) bool { return w.random.Float64() < p }

// delay is mostly short, and sometimes as long as things get in a bad hour.
func (w *world) delay() time.Duration {
	switch {
	case w.chance(w.faults / 2):
		return time.Duration(w.random.Int64N(int64(20 * time.Second)))
	case w.chance(w.faults):
		return time.Duration(w.random.Int64N(int64(2 * time.Second)))
	default:
		return time.Duration(w.random.Int64N(int64(4 * time.Millisecond)))
	}
}

func (w *world) local() time.Time { return localEpoch.Add(w.now) }

// run is an operation under way.
type run struct {
	world    *world
	op       Operation
	attempt  int
	start    time.Time
	issued   bool // a renewal's commit is on its way, and nothing is said of it yet
	touching bool // a commit is on its way that changes the seat
	done     bool
	armed    bool
}

func (w *world) begin(op Operation) {
	o := &run{world: w, op: op}
	w.running[op.ID] = o
	w.after(op.Limit, func() { o.end(context.DeadlineExceeded) })
	o.try()
}

// cancel ends an operation a little later.
func (w *world) cancel(id uint64) {
	w.after(w.delay(), func() {
		if o := w.running[id]; o != nil {
			o.end(context.Canceled)
			o.fire(context.Canceled)
		}
	})
}

// end answers an operation whose context has ended.
func (o *run) end(err error) {
	if o.done || o.armed {
		return
	}
	touched := o.touching
	o.tell(kv.Unsettled)
	o.answer(Answer{Err: err, MayHaveWritten: touched})
}

// tell says what became of the renewal that is on its way.
func (o *run) tell(outcome kv.Outcome) {
	if o.issued {
		o.issued = false
		o.world.post(CommitDone{Op: o.op.ID, Attempt: o.attempt, Outcome: outcome})
	}
}

func (o *run) answer(a Answer) {
	if o.done || o.armed {
		return
	}
	if a.Err != nil && !errors.Is(a.Err, ErrLeadershipLost) {
		a = Answer{Err: a.Err, MayHaveWritten: a.MayHaveWritten}
	}
	a.Start = o.start
	if a.Seen.IsZero() {
		a.Seen = o.world.local()
	}
	if mainKind(o.op.Kind) || o.op.Kind == List || o.op.Kind == Evict || a.Err != nil {
		o.done = true
		delete(o.world.running, o.op.ID)
	} else {
		o.armed = true
		o.world.watches[o.op.ID] = o
	}
	o.world.post(Answered{Op: o.op.ID, Answer: a})
}

// try makes an attempt: it reads, and then commits what follows from that.
func (o *run) try() {
	w := o.world
	o.attempt++
	o.start = w.local()
	w.after(w.delay(), func() {
		if o.done || o.armed {
			return
		}
		switch luck := w.random.Float64(); {
		case luck < w.faults/4:
			o.answer(Answer{Err: kv.Error{Code: kv.CodeTransactionTimedOut}})
			return
		case luck < w.faults/2:
			o.try()
			return
		}
		a, effect := o.decide()
		a.Seen = w.local()
		if effect == nil || a.Err != nil {
			w.after(w.delay(), func() { o.answer(a) })
			return
		}
		o.commit(a, effect)
	})
}

// commit lets an effect reach the store, unless the leader record has changed
// since it was read, and answers, one way or another.
func (o *run) commit(a Answer, effect func()) {
	w := o.world
	read := w.version
	seat := a.Action != election.Followed && a.Action != election.Draining || o.op.Kind != ElectionCycle
	if o.op.Token.Term > 0 && a.Action == election.Renewed {
		o.issued = true
		w.post(CommitStarting{
			Op: o.op.ID, Attempt: o.attempt, Start: o.start,
			Lease: a.Status.Leader.LeaseDuration, Config: a.Status.Config,
		})
	}
	o.touching = seat
	lands := w.delay()
	if w.chance(w.faults / 4) { // the client is told before it lands
		w.after(w.delay(), func() { o.end(kv.Error{Code: kv.CodeTransactionTimedOut, Committing: true}) })
		lands += w.delay()
	}
	attempt := o.attempt
	w.after(lands, func() {
		applied := read == w.version || !seat
		if applied {
			effect()
		}
		lost := w.chance(w.faults / 4)
		w.after(w.delay(), func() {
			if o.done || o.attempt != attempt {
				return
			}
			o.touching = false
			switch {
			case lost:
				o.tell(kv.UnknownResult)
				o.try()
			case !applied:
				o.tell(kv.NotCommitted)
				o.try()
			default:
				o.tell(kv.Committed)
				o.answer(a)
			}
		})
	})
}

// decide is the protocol in outline: what an operation finds, and the effect that
// its commit would have; nil where it writes nothing.
func (o *run) decide() (Answer, func()) {
	w, op := o.world, &o.op
	a := Answer{Status: withTenure(election.Status{Config: w.config, Leader: w.leader, Request: w.intent})}
	fail := func(err error) (Answer, func()) { return Answer{Err: err}, nil }
	if !w.exists && op.Kind != Unregister && op.Kind != Resign && op.Kind != List && (op.Kind > Rejoin || op.Config.LeaseDuration == 0) {
		return fail(fdbelection.ErrNotInitialized)
	}
	switch op.Kind {
	case Register, Rejoin:
		return o.register(a)
	case ReadLeader, WatchTerm, WatchRequest:
		return a, nil
	case Settle:
		return a, func() { w.version++ }
	case Heartbeat:
		switch {
		case w.doubled:
			return fail(fdbelection.ErrDuplicateID)
		case !w.registered:
			return fail(fdbelection.ErrUnregisteredCandidate)
		}
		return a, func() { w.beats++ }
	case ElectionCycle:
		return o.cycle(a)
	case Resign, HandOver:
		return o.giveUp(a)
	case Unregister:
		return a, func() {
			w.registered = false
			if w.leader.HeldBy(alice) {
				w.vacate()
			} else {
				w.version++
			}
		}
	case List:
		a = Answer{Members: []election.Candidate{candidate(bob, 1, func(c *election.Candidate) { c.Heartbeats = w.bobBeats })}}
		if w.registered {
			a.Members = append(a.Members, candidate(alice, 2, func(c *election.Candidate) { c.Heartbeats = w.beats }))
		}
		return a, nil
	case Evict:
		for _, c := range op.Members {
			a.Evicted = append(a.Evicted, c.ID)
		}
		return a, nil
	}
	panic("no such kind")
}

func (o *run) register(a Answer) (Answer, func()) {
	w, op := o.world, &o.op
	switch {
	case w.doubled && (op.Kind == Rejoin || op.Existing != nil): // the other one moves
		return Answer{Err: fdbelection.ErrDuplicateID}, nil
	case w.doubled || w.crashed && !op.TakeOver && !w.registered:
		if op.Existing == nil {
			w.foundAt = w.now
		}
		a.Existing = &election.ExistingCandidate{Candidate: candidate(elder, 1), Leader: w.leader}
		return a, nil
	}
	return a, func() {
		if !w.exists {
			w.exists, w.config = true, op.Config
			w.config.Revision = 1
		}
		w.registered, w.crashed = true, false
		w.beats++
	}
}

func (o *run) cycle(a Answer) (Answer, func()) {
	w, op, seat := o.world, &o.op, o.world.leader
	holds := seat.HeldBy(alice)
	switch {
	case w.doubled:
		return Answer{Err: fdbelection.ErrDuplicateID}, nil
	case op.Token.Term > 0 && seat.Token() != op.Token:
		a.Err = ErrLeadershipLost
		return a, nil
	case holds && op.Me.Role != election.Voter:
		a.Action = election.Vacated
	case holds && seat.Term > op.EndedTerm && w.config.ElectionEnabled:
		a.Action = election.Renewed
	case holds && seat.Term > op.EndedTerm:
		a.Action = election.Draining
	case !w.config.ElectionEnabled, op.Me.Role != election.Voter, op.Abstain:
	case seat.Vacant(), holds, op.Observation.LeaseExpired(seat, o.start):
		a.Action = election.Claimed
	case op.Me.Priority > seat.Priority && w.config.AllowPreemption && w.config.PreemptionGrace == 0:
		a.Action = election.Claimed
	case op.Me.Priority > seat.Priority && w.config.AllowPreemption:
		a.Action = election.RequestedPreemption
	}
	if !w.registered && a.Action != election.Renewed && a.Action != election.Draining {
		return Answer{Err: fdbelection.ErrUnregisteredCandidate}, nil
	}
	next := seat
	next.Ballot++
	next.LeaseDuration, next.Accepted, next.Priority = w.config.LeaseDuration, true, op.Me.Priority
	effect := func() { w.beats, w.registered = w.beats+1, true }
	switch a.Action {
	case election.Vacated:
		a.Status.Leader = vacated(seat)
	case election.Claimed:
		next.Identity, next.Term, next.Nonce = alice, seat.Term+1, w.nonce()
		a.Status.Leader = next
	case election.Renewed:
		a.Status.Leader = next
	default:
		if w.intent.Kind != 0 {
			a.CanHandOver = w.chance(0.8)
		}
		return a, effect
	}
	if a.Status.Request.Term != next.Term {
		a.Status.Request = election.Request{}
	}
	a.CanHandOver = a.Status.Request.Kind != 0 && w.chance(0.8)
	written := a.Status.Leader
	return a, func() {
		effect()
		w.write(written)
	}
}

func (o *run) giveUp(a Answer) (Answer, func()) {
	w, op := o.world, &o.op
	switch {
	case w.leader.Vacant() || w.leader.Token() != op.Token:
		if op.Kind == Resign && w.leader.Term >= op.Token.Term {
			return a, nil
		}
		return Answer{Err: fdbelection.ErrNotLeader}, nil
	case op.Kind == Resign:
		a.Status.Leader = vacated(w.leader)
	case w.bobLives && w.intent.Nonce == op.Request.Nonce:
		a.Status.Leader = election.LeaderRecord{
			Ballot: w.leader.Ballot + 1, Term: w.leader.Term + 1, Identity: bob, Priority: 6,
			Nonce: op.Request.Nonce, LeaseDuration: w.config.AcceptanceLease(),
		}
	default: // it is void
		return a, func() { w.intent = election.Request{} }
	}
	written := a.Status.Leader
	return a, func() { w.write(written) }
}
