package supervise

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// The supervisor, which is "run", writes orders to the guard, one per line. The guard
// writes reports back. Each is a word and its arguments:
//
//	until STOP KILL   the deadlines, in nanoseconds of the machine's clock
//	stop              terminate the command
//	kill              kill it
//	signal N          send this signal to it
//
//	started PID       the command runs, and leads a process group of this number
//	cut               the guard terminates it on its own
//	exited CODE       the command and its group have ended
//	signaled N        the same, by a signal
//	failed "WHY"      it could not be started
//
// The deadlines are instants of a clock that all processes of the machine share, that is
// never set, and that counts the time in which the machine is suspended. So an order that
// arrives late grants no more time than one that arrived at once.

// deadlines are the instants at which a guard acts, on the machine's clock.
type deadlines struct {
	stop time.Duration // the command is terminated
	kill time.Duration // it is killed
}

// notice turns the deadlines of a tenure into those of its guard. The guard keeps a
// quarter of the time between them for itself: to wake up, and to wait for the end of the
// group.
type notice struct {
	stop  time.Time
	spare time.Duration
}

// of returns the deadlines of the guard. now is the present on the clock of the tenure,
// and machine the same instant on the machine's clock. Once the tenure has to end, only
// the end deadline moves. The guard keeps the same share then. If the end is before the
// stop, it is the drain limit of the command and not the end of the lease, and the command
// has all of that time.
func (n *notice) of(d elector.Deadlines, now time.Time, machine time.Duration) deadlines {
	if !d.Stop.Equal(n.stop) {
		n.stop, n.spare = d.Stop, max(d.End.Sub(d.Stop), 0)/4
	}
	stop, end := d.Stop.Sub(now), d.End.Sub(now)
	kill := max(end-n.spare, min(stop, end))
	return deadlines{stop: machine + min(stop, kill), kill: machine + kill}
}

type verb string

const (
	orderUntil  verb = "until"
	orderStop   verb = "stop"
	orderKill   verb = "kill"
	orderSignal verb = "signal"

	reportStarted  verb = "started"
	reportCut      verb = "cut"
	reportExited   verb = "exited"
	reportSignaled verb = "signaled"
	reportFailed   verb = "failed"
)

// order is an order of the supervisor.
type order struct {
	verb
	deadlines
	signal int
}

func (o order) String() string {
	switch o.verb {
	case orderUntil:
		return fmt.Sprintf("%s %d %d", o.verb, o.stop, o.kill)
	case orderSignal:
		return fmt.Sprintf("%s %d", o.verb, o.signal)
	default:
		return string(o.verb)
	}
}

// ErrNoGuard says that this process was not started as a guard, or that this system has no
// guards.
var ErrNoGuard = errors.New("only run starts a guard: the command has no use of its own")

var errNoOrder = errors.New("this is not an order to a guard")

func parseOrder(line string) (order, error) {
	word, rest, _ := strings.Cut(line, " ")
	o := order{verb: verb(word)}
	switch o.verb {
	case orderUntil:
		if _, err := fmt.Sscanf(rest, "%d %d", &o.stop, &o.kill); err != nil || o.kill < o.stop {
			return order{}, errNoOrder
		}
	case orderSignal:
		if _, err := fmt.Sscanf(rest, "%d", &o.signal); err != nil || o.signal <= 0 {
			return order{}, errNoOrder
		}
	case orderStop, orderKill:
	default:
		return order{}, errNoOrder
	}
	return o, nil
}

// report is a report of the guard.
type report struct {
	verb
	number int
	text   string
}

func (r report) String() string {
	switch r.verb {
	case reportCut:
		return string(r.verb)
	case reportFailed:
		return fmt.Sprintf("%s %q", r.verb, r.text)
	default:
		return fmt.Sprintf("%s %d", r.verb, r.number)
	}
}

var errNoReport = errors.New("this is not a report of a guard")

func parseReport(line string) (report, error) {
	word, rest, _ := strings.Cut(line, " ")
	r := report{verb: verb(word)}
	var err error
	switch r.verb {
	case reportStarted, reportExited, reportSignaled:
		r.number, err = strconv.Atoi(rest)
	case reportFailed:
		r.text, err = strconv.Unquote(rest)
	case reportCut:
	default:
		err = errNoReport
	}
	if err != nil {
		return report{}, errNoReport
	}
	return r, nil
}

// plan decides what the guard does. Orders and the time are passed in.
type plan struct {
	deadlines
	mustStop, mustKill bool // by order, or because the supervisor has gone
	terminated, killed bool // the command
	cut                bool // the guard terminated it on its own
}

// take applies an order.
func (p *plan) take(o order) {
	switch o.verb {
	case orderUntil:
		p.deadlines = o.deadlines
	case orderStop:
		p.mustStop = true
	case orderKill:
		p.mustKill = true
	default: // a signal does not change the plan
	}
}

// orphaned says that the supervisor has gone. The command still has until the end
// deadline: no other candidate leads before.
func (p *plan) orphaned() {
	p.cut = p.cut || !p.terminated && !p.mustStop
	p.mustStop = true
}

// due returns what to do now. It returns each step once.
func (p *plan) due(now time.Duration) (terminate, kill bool) {
	if !p.terminated && now >= p.stop && !p.mustStop {
		p.cut = true
	}
	terminate = !p.terminated && (p.mustStop || now >= p.stop)
	kill = !p.killed && (p.mustKill || now >= p.kill)
	p.terminated, p.killed = p.terminated || terminate, p.killed || kill
	return terminate, kill
}

// guardTick is the longest time between two readings of the clock. Timers stop while a
// machine is suspended, so it is also how soon after a suspension the guard acts.
const guardTick = 100 * time.Millisecond

// wait returns for how long nothing is due, unless an order arrives.
func (p *plan) wait(now time.Duration) time.Duration {
	next := guardTick
	if !p.terminated {
		next = min(next, p.stop-now)
	}
	if !p.killed {
		next = min(next, p.kill-now)
	}
	return max(next, 0)
}
