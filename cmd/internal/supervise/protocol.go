package supervise

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// A guard is a small process between a supervisor and its commands. It holds the deadlines, so
// that the commands end in time even if the supervisor is stopped, hangs or was killed.
//
// The supervisor is run, with one command, or "group run", with one for each shard or with one
// for all of them. It writes orders to the guard, and the guard writes reports back. Each is a
// line of a word and its arguments. CHILD is the number of a command. The orders are:
//
//	until SESSION STOP KILL   the deadlines, in nanoseconds of the boot clock
//	start CHILD SESSION JSON  start a command, unless its deadlines have passed
//	stop CHILD                send SIGTERM to the process group of the command
//	limit CHILD KILL          send SIGKILL to it at this time at the latest; 0 takes that back
//	kill CHILD                send SIGKILL to it
//	signal CHILD N            send this signal to the command
//
// The reports are:
//
//	started CHILD PID     the command runs. PID is also the number of its process group
//	cut CHILD             the guard sends SIGTERM without an order
//	killed CHILD          the guard sends SIGKILL
//	exited CHILD CODE     the whole process group has ended
//	signaled CHILD N      the same, and a signal ended the command
//	failed CHILD "WHY"    the command could not be started
//
// The deadlines of a session do not apply to commands that were started in another one. All
// processes of the machine share the boot clock. It is never set, and it runs while the machine
// is suspended. So an order that arrives late does not give a command more time.

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
	orderStart  verb = "start"
	orderStop   verb = "stop"
	orderLimit  verb = "limit"
	orderKill   verb = "kill"
	orderSignal verb = "signal"

	reportStarted  verb = "started"
	reportCut      verb = "cut"
	reportKilled   verb = "killed"
	reportExited   verb = "exited"
	reportSignaled verb = "signaled"
	reportFailed   verb = "failed"
)

// order is a line from the supervisor to the guard.
type order struct {
	verb
	child   int
	session string // a word
	deadlines
	start  startOrder
	limit  time.Duration
	signal int
}

// startOrder is how a command differs from the command line of its guard.
type startOrder struct {
	// Fill replaces {} in the command, if it is not empty.
	Fill string   `json:"fill,omitempty"`
	Env  []string `json:"env,omitempty"` // more variables
}

// filled returns a command line with {} replaced, unless the text for it is empty.
func filled(argv []string, fill string) []string {
	if fill == "" {
		return argv
	}
	replaced := make([]string, len(argv))
	for i, arg := range argv {
		replaced[i] = strings.ReplaceAll(arg, "{}", fill)
	}
	return replaced
}

func (o order) String() string {
	switch o.verb {
	case orderUntil:
		return fmt.Sprintf("%s %s %d %d", o.verb, o.session, o.stop, o.kill)
	case orderStart:
		text, _ := json.Marshal(o.start) // strings cannot fail
		return fmt.Sprintf("%s %d %s %s", o.verb, o.child, o.session, text)
	case orderLimit:
		return fmt.Sprintf("%s %d %d", o.verb, o.child, o.limit)
	case orderSignal:
		return fmt.Sprintf("%s %d %d", o.verb, o.child, o.signal)
	default:
		return fmt.Sprintf("%s %d", o.verb, o.child)
	}
}

// ErrNoGuard is returned by Guard if run did not start this process, or if this system has
// no guards.
var ErrNoGuard = errors.New("guard is started by run, and cannot be used alone")

var errNoOrder = errors.New("not an order to a guard")

func parseOrder(line string) (order, error) {
	word, rest, _ := strings.Cut(line, " ")
	o := order{verb: verb(word)}
	var err error
	valid := true
	switch o.verb {
	case orderUntil:
		_, err = fmt.Sscanf(rest, "%s %d %d", &o.session, &o.stop, &o.kill)
		valid = o.kill >= o.stop
	case orderStart:
		if _, err = fmt.Sscanf(rest, "%d %s", &o.child, &o.session); err == nil {
			_, text, _ := strings.Cut(rest, "{")
			err = json.Unmarshal([]byte("{"+text), &o.start)
		}
	case orderLimit:
		_, err = fmt.Sscanf(rest, "%d %d", &o.child, &o.limit)
		valid = o.limit >= 0
	case orderSignal:
		_, err = fmt.Sscanf(rest, "%d %d", &o.child, &o.signal)
		valid = o.signal > 0
	case orderStop, orderKill:
		o.child, err = strconv.Atoi(rest)
	default:
		valid = false
	}
	if err != nil || !valid {
		return order{}, errNoOrder
	}
	return o, nil
}

// report is a line from the guard to the supervisor.
type report struct {
	verb
	child  int
	number int
	text   string
}

func (r report) String() string {
	switch r.verb {
	case reportCut, reportKilled:
		return fmt.Sprintf("%s %d", r.verb, r.child)
	case reportFailed:
		return fmt.Sprintf("%s %d %q", r.verb, r.child, r.text)
	default:
		return fmt.Sprintf("%s %d %d", r.verb, r.child, r.number)
	}
}

var errNoReport = errors.New("not a report of a guard")

func parseReport(line string) (report, error) {
	word, rest, _ := strings.Cut(line, " ")
	child, rest, _ := strings.Cut(rest, " ")
	r := report{verb: verb(word)}
	var err, unknown error
	r.child, err = strconv.Atoi(child)
	switch r.verb {
	case reportStarted, reportExited, reportSignaled:
		r.number, unknown = strconv.Atoi(rest)
	case reportFailed:
		r.text, unknown = strconv.Unquote(rest)
	case reportCut, reportKilled:
	default:
		unknown = errNoReport
	}
	if err != nil || unknown != nil {
		return report{}, errNoReport
	}
	return r, nil
}

// guardState decides what the guard does to one command. It reads no clock and sends no signal
// itself.
type guardState struct {
	deadlines
	limit              time.Duration // zero: there is none
	mustStop, mustKill bool          // ordered by the supervisor, or it has ended
	terminated, killed bool          // SIGTERM and SIGKILL were sent
	cut                bool          // SIGTERM was not ordered
}

// take updates the state with an order.
func (s *guardState) take(o order) {
	switch o.verb {
	case orderUntil:
		s.until(o.deadlines)
	case orderStop:
		s.mustStop = true
	case orderLimit:
		s.limit = o.limit
	case orderKill:
		s.mustKill = true
	default: // the other orders do not change the state
	}
}

// until updates the deadlines. After the stop deadline has passed, the tenure is over, and later
// deadlines are those of another one.
func (s *guardState) until(d deadlines) {
	if s.cut {
		d.kill = min(d.kill, s.kill)
	}
	s.deadlines = d
}

// orphaned updates the state after the end of the supervisor. The command may take until the
// kill deadline to stop, because no other process leads before that.
func (s *guardState) orphaned() {
	s.cut = s.cut || !s.terminated && !s.mustStop
	s.mustStop = true
}

// killAt returns when the command must be killed.
func (s *guardState) killAt() time.Duration {
	if s.limit > 0 {
		return min(s.limit, s.kill)
	}
	return s.kill
}

// due returns which signals the guard must send now. It returns each of them once.
func (s *guardState) due(now time.Duration) (terminate, kill bool) {
	if !s.terminated && now >= s.stop && !s.mustStop {
		s.cut = true
	}
	terminate = !s.terminated && (s.mustStop || now >= s.stop)
	kill = !s.killed && (s.mustKill || now >= s.killAt())
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
		next = min(next, s.killAt()-now)
	}
	return max(next, 0)
}
