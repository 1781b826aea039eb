package supervise

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// A guard is a small process between run and its command. It holds the deadlines of the
// tenure, so that the command ends in time even if run is stopped, hangs or was killed.
//
// The supervisor, which is run, writes orders to the guard, and the guard writes reports
// back. Each is a line of a word and its arguments. The orders are:
//
//	until STOP KILL   the deadlines, in nanoseconds of the boot clock
//	stop              send SIGTERM to the process group of the command
//	kill              send SIGKILL to it
//	signal N          send this signal to the command
//
// The reports are:
//
//	started PID       the command runs. PID is also the number of its process group
//	cut               the guard sends SIGTERM without an order
//	exited CODE       the whole process group has ended
//	signaled N        the same, and a signal ended the command
//	failed "WHY"      the command could not be started
//
// All processes of the machine share the boot clock. It is never set, and it runs while the
// machine is suspended. So an order that arrives late does not give the command more time.

// deadlines are the times at which the guard acts, on the boot clock.
type deadlines struct {
	stop time.Duration // the guard sends SIGTERM
	kill time.Duration // the guard sends SIGKILL
}

// guardDeadlines turns the deadlines of a tenure into those of its guard. It takes a quarter
// of the time between stop and end as a reserve, in which the guard wakes up and reaps the
// process group.
type guardDeadlines struct {
	stop    time.Time // the newest stop deadline
	reserve time.Duration
}

// of returns the deadlines of the guard. now is the time on the clock of the tenure, and
// boot the same instant on the boot clock. While a leader drains, only the end deadline
// moves, and the reserve stays the same. If the end is before the stop, it is the end of the
// drain limit and not of the lease, so there is no reserve.
func (g *guardDeadlines) of(d elector.Deadlines, now time.Time, boot time.Duration) deadlines {
	if !d.Stop.Equal(g.stop) {
		g.stop, g.reserve = d.Stop, max(d.End.Sub(d.Stop), 0)/4
	}
	stop, end := d.Stop.Sub(now), d.End.Sub(now)
	kill := max(end-g.reserve, min(stop, end))
	return deadlines{stop: boot + min(stop, kill), kill: boot + kill}
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

// order is a line from the supervisor to the guard.
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

// ErrNoGuard is returned by Guard if run did not start this process, or if this system has
// no guards.
var ErrNoGuard = errors.New("guard is started by run, and cannot be used alone")

var errNoOrder = errors.New("not an order to a guard")

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

// report is a line from the guard to the supervisor.
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

var errNoReport = errors.New("not a report of a guard")

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

// guardState decides what the guard does. It reads no clock and sends no signal itself.
type guardState struct {
	deadlines
	mustStop, mustKill bool // ordered by the supervisor, or it has ended
	terminated, killed bool // SIGTERM and SIGKILL were sent
	cut                bool // SIGTERM was not ordered
}

// take updates the state with an order.
func (s *guardState) take(o order) {
	switch o.verb {
	case orderUntil:
		s.deadlines = o.deadlines
	case orderStop:
		s.mustStop = true
	case orderKill:
		s.mustKill = true
	default: // a signal order does not change the state
	}
}

// orphaned updates the state after the end of the supervisor. The command may take until the
// kill deadline to stop, because no other process leads before that.
func (s *guardState) orphaned() {
	s.cut = s.cut || !s.terminated && !s.mustStop
	s.mustStop = true
}

// due returns which signals the guard must send now. It returns each of them once.
func (s *guardState) due(now time.Duration) (terminate, kill bool) {
	if !s.terminated && now >= s.stop && !s.mustStop {
		s.cut = true
	}
	terminate = !s.terminated && (s.mustStop || now >= s.stop)
	kill = !s.killed && (s.mustKill || now >= s.kill)
	s.terminated, s.killed = s.terminated || terminate, s.killed || kill
	return terminate, kill
}

// guardTick is the longest time between two reads of the clock. Timers do not run while the
// machine is suspended, so the guard notices a passed deadline this long after a resume.
const guardTick = 100 * time.Millisecond

// wait returns how long the guard may sleep until it must act or read the clock.
func (s *guardState) wait(now time.Duration) time.Duration {
	next := guardTick
	if !s.terminated {
		next = min(next, s.stop-now)
	}
	if !s.killed {
		next = min(next, s.kill-now)
	}
	return max(next, 0)
}
