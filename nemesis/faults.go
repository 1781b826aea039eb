package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// fault is something that can go wrong.
type fault struct {
	name   string
	weight int    // how often it is drawn
	of     pool   // it concerns one worker of these, and takes it until it ends
	target string // whom it concerns if not a worker. Empty means everyone
	// begin begins the fault. ok is false if the fault does not apply now. end ends it, and is nil
	// if it has no duration. If end returns false, it is called again.
	begin func(s *stroke) (end func() bool, ok bool)
}

// pool is the set of workers of which a fault concerns one.
type pool int

const (
	noWorker pool = iota
	anyWorker
	commandWorker // fdbelect run
	electorWorker // with an elector, which takes orders
)

// has reports whether a worker is in the pool.
func (p pool) has(s *slot) bool {
	switch p {
	case anyWorker:
		return true
	case commandWorker:
		return s.isCommand()
	case electorWorker:
		return !s.isCommand()
	default:
		return false
	}
}

// nothing is the target of a fault after which leadership may not be free for longer.
const nothing = "nothing"

// stroke is one fault at one time.
type stroke struct {
	nemesis *nemesis
	random  *rand.Rand
	slot    *slot
}

func drawFault(faults []fault, random *rand.Rand) fault {
	total := 0
	for _, f := range faults {
		total += f.weight
	}
	at := random.IntN(total)
	for _, f := range faults {
		if at -= f.weight; at < 0 {
			return f
		}
	}
	panic("unreachable")
}

// ownFaults are those that every store can have.
func ownFaults() []fault {
	return append([]fault{
		{name: "kill a worker", weight: 4, of: anyWorker, begin: sendOnce(syscall.SIGKILL, workerPID)},
		{name: "stop a worker", weight: 6, of: anyWorker, begin: stopAndContinue(workerPID)},
		{name: "terminate a worker", weight: 2, of: anyWorker, begin: sendOnce(syscall.SIGTERM, workerPID)},
		{name: "kill a guard", weight: 3, of: commandWorker, begin: sendOnce(syscall.SIGKILL, guardPID)},
		{name: "stop a guard", weight: 3, of: commandWorker, begin: stopAndContinue(guardPID)},
		{name: "kill a command", weight: 1, of: commandWorker, begin: sendOnce(syscall.SIGKILL, childPID)},
		{name: "stop a command", weight: 1, of: commandWorker, begin: stopAndContinue(childPID)},
		{name: "cut a worker off", weight: 8, of: electorWorker, begin: orderWhile(orderGate, always(float64(gateCut)), always(float64(gateOpen)))},
		{name: "lose the answers", weight: 3, of: electorWorker, begin: orderWhile(orderGate, always(float64(gateMute)), always(float64(gateOpen)))},
		{name: "slow store", weight: 2, of: electorWorker, begin: orderWhile(orderDelay, upTo(300*time.Millisecond), always(0))},
		{name: "step a wall clock", weight: 2, of: electorWorker, begin: orderWhile(orderStep, upTo(2*time.Hour), always(0))},
		{name: "step a wall clock back", weight: 2, of: electorWorker, begin: orderWhile(orderStep, upTo(-2*time.Hour), always(0))},
		{name: "drift of a clock", weight: 2, of: electorWorker, begin: orderWhile(orderRate, drift, drift)},
		{name: "another priority", weight: 2, of: electorWorker, begin: orderWhile(orderPriority, upTo(4), upTo(4))},
		{name: "duplicate id", weight: 2, of: anyWorker, begin: duplicate},
	}, steering()...)
}

// The processes of a worker.
func workerPID(s *slot) int { return s.process.cmd.Process.Pid }

func guardPID(s *slot) int { return childOf(workerPID(s)) }

func childPID(s *slot) int {
	if guard := guardPID(s); guard != 0 {
		return childOf(guard)
	}
	return 0
}

// sendOnce sends a signal to a process of a worker.
func sendOnce(signal syscall.Signal, pid func(*slot) int) func(*stroke) (func() bool, bool) {
	return func(s *stroke) (func() bool, bool) {
		id := pid(s.slot)
		return nil, id != 0 && syscall.Kill(id, signal) == nil
	}
}

// stopAndContinue stops a process of a worker for a while.
func stopAndContinue(pid func(*slot) int) func(*stroke) (func() bool, bool) {
	return func(s *stroke) (func() bool, bool) {
		id := pid(s.slot)
		if id == 0 || syscall.Kill(id, syscall.SIGSTOP) != nil {
			return nil, false
		}
		return func() bool {
			_ = syscall.Kill(id, syscall.SIGCONT) // it may have ended
			return true
		}, true
	}
}

// orderWhile sends an order to a worker, and another one at the end.
func orderWhile(verb string, begin, end func(*rand.Rand) float64) func(*stroke) (func() bool, bool) {
	return func(s *stroke) (func() bool, bool) {
		p := s.slot.process
		p.order(verb, begin(s.random))
		last := end(s.random)
		return func() bool {
			p.order(verb, last)
			return true
		}, true
	}
}

func always(value float64) func(*rand.Rand) float64 { return func(*rand.Rand) float64 { return value } }

// upTo draws a number between 0 and a limit.
func upTo[T ~int | ~int64](limit T) func(*rand.Rand) float64 {
	return func(random *rand.Rand) float64 { return random.Float64() * float64(limit) }
}

// drift draws one of the most wrong rates that the margin covers.
func drift(random *rand.Rand) float64 {
	if random.IntN(2) == 0 {
		return 1 - worstRate
	}
	return 1 + worstRate
}

// duplicate starts another process under the id of a worker, and kills it at the end.
func duplicate(s *stroke) (func() bool, bool) {
	slot := s.slot
	p, err := slot.startNamed(nothing, fmt.Sprintf("%s-twin-%d", slot.id, s.nemesis.strikes))
	if err != nil {
		s.nemesis.say("no twin: %v", err)
		return nil, false
	}
	return func() bool {
		p.signal(syscall.SIGKILL)
		<-p.exited
		return true
	}, true
}

// say writes a note into the diary of the nemesis.
func (n *nemesis) say(format string, args ...any) {
	n.diary.write(entry{Kind: noted, At: clock.Boot(), Text: fmt.Sprintf(format, args...)})
}

// act runs an act of an operator, and reports whether it was done.
func (n *nemesis) act(what string, act func(ctx context.Context) error) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := act(ctx)
	if err != nil {
		n.say("%s: %v", what, err)
	}
	return err == nil
}
