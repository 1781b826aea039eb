package machine

import (
	"container/heap"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var (
	firstSeed = flag.Uint64("machine.seed", 1, "the first seed of TestRandomRuns")
	seeds     = flag.Uint64("machine.seeds", 50, "how many seeds it runs")
	verbose   = flag.Bool("machine.trace", false, "print what happens in each run")
)

// TestRandomRuns drives machines through random worlds, in which operations are
// answered in any order, late, wrongly or never in time, and checks after each
// step what must hold for all of them.
func TestRandomRuns(t *testing.T) {
	for seed := *firstSeed; seed < *firstSeed+*seeds; seed++ {
		ok := t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Logf("replay: go test ./internal/machine -run TestRandomRuns -machine.seed=%d -machine.seeds=1 -machine.trace -v", seed)
			newTrial(t, seed).run()
		})
		if !ok {
			return
		}
	}
}

// trial is one machine in one world, and what is known of it from outside.
type trial struct {
	*testing.T
	*world
	m        Machine
	events   []Event
	inStep   bool
	finished bool
	steps    int

	state    State
	mains    map[uint64]Operation // under way
	begun    []time.Duration      // when main operations began
	wakeAt   time.Duration
	wakeNo   int
	term     uint64 // of the work that has not returned; 0: there is none
	drained  bool
	expired  bool
	patience time.Duration // the work may use the lease at least until then, unless belief ends
	lost     bool
	base     Deadlines // of the attempt that was acknowledged last
	open     map[[2]uint64]Deadlines
	told     *election.LeaderRecord
	hang     bool // work may hang
}

func newTrial(t *testing.T, seed uint64) *trial {
	t.Helper()
	w := &world{
		random: rand.New(rand.NewPCG(seed, 0)), config: testConfig(), bobLives: true,
		watches: make(map[uint64]*run), running: make(map[uint64]*run),
	}
	w.faults = 0.3 * w.random.Float64()
	if w.chance(0.3) {
		w.exists, w.crashed, w.config.Revision = true, true, 1
	}
	settings := testSettings()
	settings.Aim = Aim(w.random.IntN(3))
	x := &trial{T: t, world: w, m: New(settings), mains: make(map[uint64]Operation), open: make(map[[2]uint64]Deadlines), hang: true}
	w.post = x.take
	return x
}

// run is one life: first anything goes, then the faults stop and the machine must
// lead, and then it leaves.
func (x *trial) run() {
	x.take(Begin{})
	x.after(time.Second, x.live)
	for range 40 {
		x.after(time.Duration(x.random.Int64N(int64(3*time.Minute))), x.upset)
		x.after(time.Duration(x.random.Int64N(int64(3*time.Minute))), x.order)
	}
	x.until(3 * time.Minute)
	if x.finished { // because of a duplicate
		return
	}
	x.calm()
	x.until(x.now + 2*time.Minute)
	if x.finished {
		return
	}
	require.True(x, x.m.State().Leads(), "no leader although nothing is wrong: %s, %+v, %s", x.m.State(), x.leader, x.m.store.lastError)
	require.True(x, x.leader.HeldBy(alice))
	x.take(Leave{})
	x.until(x.now + 10*time.Second)
	require.True(x, x.finished, "has not left")
	require.True(x, x.leader.Vacant() && !x.registered, "something was left behind: %+v", x.leader)
}

// order is what the process may do at any time.
func (x *trial) order() {
	switch x.random.IntN(5) {
	case 0:
		x.take(AimChanged{Aim(x.random.IntN(3))})
	case 1:
		x.take(RegistrationChanged{Priority: int32(x.random.IntN(10)), Role: election.Role(x.random.IntN(2))})
	case 2:
		if x.term > 0 && !x.drained {
			x.take(WorkReturning{Term: x.term})
			x.workReturns(x.term)
		}
	case 3:
		x.take(Tick{})
	case 4:
		if x.chance(0.03) {
			x.take(Leave{})
		}
	}
}

// calm ends all faults.
func (x *trial) calm() {
	x.faults, x.bobLives, x.hang, x.doubled = 0, false, false, false
	x.config = testConfig()
	x.config.Revision = 1000
	x.intent = election.Request{}
	x.take(AimChanged{Campaign})
	x.take(RegistrationChanged{Priority: 5, Role: election.Voter})
	if x.term > 0 && x.drained {
		x.workReturns(x.term)
	}
}

func (x *trial) until(end time.Duration) {
	for len(x.queue) > 0 && x.queue[0].at <= end {
		next := heap.Pop(&x.queue).(happening)
		x.now = next.at
		next.do()
	}
	x.now = end
}

// take has the machine take an event, and those that come of it.
func (x *trial) take(event Event) {
	x.events = append(x.events, event)
	if x.inStep {
		return
	}
	x.inStep = true
	for len(x.events) > 0 {
		next := x.events[0]
		x.events = x.events[1:]
		x.step(next)
	}
	x.inStep = false
}

func (x *trial) step(event Event) {
	x.observe(event)
	now := Now{Local: x.local(), Wall: wallEpoch.Add(x.now)}
	m, actions := x.pure(event, now)
	x.m = m
	x.trace(event, actions)
	for _, action := range actions {
		require.False(x, x.finished, "%T after the end", action)
		x.perform(action)
	}
	x.check()
}

// pure takes a step, and now and then checks that it is a function: that it gives
// the same again, and changes neither the machine that it was given nor another
// that came of it.
func (x *trial) pure(event Event, now Now) (Machine, []Action) {
	x.steps++
	if x.steps%8 != 0 {
		return Step(x.m, event, now)
	}
	before := fmt.Sprintf("%+v %+v", x.m, x.m.leader.candidate)
	m, actions := Step(x.m, event, now)
	again, same := Step(x.m, event, now)
	require.Equal(x, m, again, "the same step gave another machine: %#v", event)
	require.Equal(x, actions, same, "the same step asked for something else: %#v", event)
	after := fmt.Sprintf("%+v", m)
	_, _ = Step(x.m, CommitStarting{Op: x.m.operations.main.id, Attempt: 99, Start: now.Local, Lease: time.Minute, Config: x.config}, now)
	_, _ = Step(x.m, Leave{}, now)
	require.Equal(x, before, fmt.Sprintf("%+v %+v", x.m, x.m.leader.candidate), "a step changed the machine that it was given")
	require.Equal(x, after, fmt.Sprintf("%+v", m), "a step changed another machine")
	return m, actions
}

func (x *trial) trace(event Event, actions []Action) {
	if !*verbose {
		return
	}
	x.Logf("%12s %T%+v", x.now, event, event)
	for _, action := range actions {
		x.Logf("%14s%s", "", text(action))
	}
}

// observe takes in what the machine is about to be told, as the rule of belief
// has it.
func (x *trial) observe(event Event) {
	switch e := event.(type) {
	case CommitStarting:
		x.open[[2]uint64{e.Op, uint64(e.Attempt)}] = DeadlinesOf(e.Start, e.Lease, e.Config)
	case CommitDone:
		key := [2]uint64{e.Op, uint64(e.Attempt)}
		switch e.Outcome {
		case kv.Committed:
			x.base = x.open[key]
			clear(x.open)
		case kv.NotCommitted:
			delete(x.open, key)
		case kv.UnknownResult, kv.Unsettled:
		}
	case Answered:
		delete(x.mains, e.Op)
		if e.Answer.Action == election.Claimed || e.Answer.Action == election.Renewed {
			if x.term == 0 {
				x.base = DeadlinesOf(e.Answer.Start, e.Answer.Status.Leader.LeaseDuration, e.Answer.Status.Config)
				clear(x.open)
			}
		}
	}
}

func (x *trial) perform(action Action) {
	switch a := action.(type) {
	case StartOperation:
		x.checkStart(a.Operation)
		x.world.begin(a.Operation)
	case CancelOperation:
		x.world.cancel(a.Op)
	case Wake:
		require.True(x, a.At.After(x.local()), "a wake that is due already")
		x.wakeAt = a.At.Sub(localEpoch)
		x.wakeNo++
		no := x.wakeNo
		x.after(x.wakeAt-x.now, func() {
			if no == x.wakeNo {
				x.wakeAt = 0
				x.take(Tick{})
			}
		})
	case Lead:
		require.Zero(x, x.term, "leads while older work has not returned")
		require.True(x, a.Leader.HeldBy(alice))
		x.term, x.drained, x.expired, x.lost = a.Leader.Term, false, false, false
	case Drain:
		require.Equal(x, x.term, a.Term)
		require.False(x, x.drained, "drained twice")
		x.drained, x.lost = true, a.Reason == ReasonLeadershipLost
		x.patience = x.now + x.m.settings.Drain
		if a.Reason == ReasonChallenged {
			x.patience = x.now + min(x.m.settings.Drain, x.m.config.PreemptionGrace) // Leave may come after it
		}
		x.workReturns(a.Term)
	case Expire:
		require.Equal(x, x.term, a.Term)
		require.True(x, x.drained && !x.expired)
		x.expired = true
	case StateChanged:
		require.Equal(x, x.state, a.From)
		require.NotEqual(x, a.From, a.To)
		x.state = a.To
	case LeaderChanged:
		if x.told != nil && !x.restored {
			require.Greater(x, a.Leader.Ballot, x.told.Ballot, "told twice, or out of order")
		}
		x.told = &a.Leader
	case Finish:
		require.Empty(x, x.mains)
		x.finished = true
	}
}

// workReturns has work return that was asked to, sooner or later.
func (x *trial) workReturns(term uint64) {
	d := time.Duration(x.random.Int64N(int64(500 * time.Millisecond)))
	if x.hang && x.chance(0.2) {
		d = time.Duration(x.random.Int64N(int64(40 * time.Second)))
	}
	x.after(d, func() {
		if x.term != term {
			return
		}
		x.take(WorkReturned{Term: term})
		require.True(x, x.finished || x.drained && x.expired, "the work has returned, and its lease goes on")
		x.term = 0
		clear(x.open)
	})
}

// checkStart checks what begins.
func (x *trial) checkStart(op Operation) {
	require.Positive(x, op.Limit)
	if !mainKind(op.Kind) {
		for _, other := range x.running {
			require.False(x, other.op.Kind == op.Kind || op.Kind <= Evict && other.op.Kind == List, "a second %s", op.Kind)
		}
		return
	}
	require.Empty(x, x.mains, "a second operation about the seat: %s", op.Kind)
	x.mains[op.ID] = op
	if op.TakeOver {
		require.NotNil(x, op.Existing)
		require.GreaterOrEqual(x, x.now-x.foundAt, x.config.CandidateTimeout, "takes over too soon")
	}
	x.begun = append(x.begun, x.now)
	if n := len(x.begun); n > 30 {
		require.Greater(x, x.now-x.begun[n-30], time.Second, "too many operations at once, at last %s", op.Kind)
	}
	if x.term == 0 || x.m.tenure.stage == none {
		return // its work has returned
	}
	switch op.Kind {
	case Resign, HandOver, Unregister:
		require.True(x, x.expired, "given up while the lease is in use")
		require.True(x, x.lost || x.now >= x.patience, "given up before the time that the work had to stop")
	case ElectionCycle:
		require.True(x, op.Token.Term == x.term && op.Abstain && !x.expired, "a claim before the work has returned")
	case Register, Rejoin, Settle:
		require.Fail(x, "as if the work had returned")
	case ReadLeader, Heartbeat, List, Evict, WatchTerm, WatchRequest:
	}
}

// check checks what holds between any two steps.
func (x *trial) check() {
	if x.finished {
		return
	}
	belief := x.m.Deadlines()
	if !belief.Stop.IsZero() || !belief.End.IsZero() {
		require.Equal(x, x.term, belief.Term)
		limit := x.base
		for _, h := range x.open {
			limit = limit.earlier(h)
		}
		require.False(x, belief.End.After(limit.End), "believes too long: until %s, not %s", belief.End, limit.End)
		require.False(x, belief.Stop.After(limit.Stop), "leads too long")
		require.True(x, belief.End.After(x.local()))
	}
	require.Equal(x, x.m.State().Leads(), !belief.Stop.IsZero() && belief.Stop.After(x.local()))
	if x.m.life.phase == notStarted || len(x.events) > 0 {
		return
	}
	if len(x.mains) == 0 {
		require.NotZero(x, x.wakeAt, "nothing is under way, and no wake is asked for")
		require.Less(x, x.wakeAt-x.now, 25*time.Second, "sleeps too long")
	}
	if x.term > 0 && x.drained && !x.expired {
		require.NotZero(x, x.wakeAt, "nothing ends the lease")
	}
}
