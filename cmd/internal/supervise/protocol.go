package supervise

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// A guard is a small process between "run" and its command. It holds the deadline
// of the tenure, so that the command ends in time even where "run" cannot see to
// that: because it is stopped, hangs or was killed.
//
// The supervisor, which is "run", writes orders to the guard, one on each line;
// the guard writes reports back. Each is a word and what goes with it:
//
//	until STOP KILL   the deadlines, in nanoseconds of the machine's clock
//	stop              ask the command to stop
//	kill              kill it
//	signal N          send this signal to it
//
//	started PID       the command runs, as the leader of a group of this number
//	cut               the guard asks it to stop, of its own accord
//	exited CODE       all of it has ended
//	signaled N        the same, by a signal
//	failed "WHY"      it could not be started
//
// The deadlines are instants of a clock that all processes of the machine share,
// that nobody sets, and that goes on while the machine sleeps: so an order that
// comes late grants no more time than one that came at once.

// deadlines are when the guard acts, as times of the machine's clock.
type deadlines struct {
	stop time.Duration // the command is asked to stop
	kill time.Duration // it is killed
}

// notice turns the deadlines of a tenure into those of its guard. A quarter of the
// time that the command has to stop in is kept for the guard itself: to be woken,
// and to see the last of the group off.
type notice struct {
	stop  time.Time
	spare time.Duration
}

// of returns them, where the clock of the tenure shows now and that of the machine
// shows machine. Once the tenure is to end, only its end moves on: what is kept
// stays as it was then. An end that is before the stop is not that of the lease, but
// of the time that the command was given to stop in, and it has all of that.
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

// order is what the supervisor writes.
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

// errNoGuard says that this process was not started as a guard, or that there are none on
// this system.
var ErrNoGuard = errors.New("guard is what run starts beside itself, and of no use alone")

var errNoOrder = errors.New("this is no order to a guard")

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

// report is what the guard writes.
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

var errNoReport = errors.New("this is no report of a guard")

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

// ward is what the guard knows, and decides by. It is told of time as of
// everything else.
type ward struct {
	deadlines
	mustStop, mustKill bool // the supervisor says so, or is gone
	asked, killed      bool // the command was
	cut                bool // it was asked of the guard's own accord
}

// take takes in an order.
func (w *ward) take(o order) {
	switch o.verb {
	case orderUntil:
		w.deadlines = o.deadlines
	case orderStop:
		w.mustStop = true
	case orderKill:
		w.mustKill = true
	default: // a signal changes nothing here
	}
}

// orphaned takes in that the supervisor has gone. The command still has until the
// deadline to stop, as nobody follows before.
func (w *ward) orphaned() {
	w.cut = w.cut || !w.asked && !w.mustStop
	w.mustStop = true
}

// due says what is to be done now. Each is said once.
func (w *ward) due(now time.Duration) (ask, kill bool) {
	if !w.asked && now >= w.stop && !w.mustStop {
		w.cut = true
	}
	ask = !w.asked && (w.mustStop || now >= w.stop)
	kill = !w.killed && (w.mustKill || now >= w.kill)
	w.asked, w.killed = w.asked || ask, w.killed || kill
	return ask, kill
}

// guardTick is how often the guard looks at the clock at least. Timers stand still
// while a machine sleeps, so this is how soon after its waking the guard finds out.
const guardTick = 100 * time.Millisecond

// wait is how long nothing is due, unless an order comes.
func (w *ward) wait(now time.Duration) time.Duration {
	next := guardTick
	if !w.asked {
		next = min(next, w.stop-now)
	}
	if !w.killed {
		next = min(next, w.kill-now)
	}
	return max(next, 0)
}
