//go:build unix && !aix && !netbsd

package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// guards is true if commands have a guard on this system.
const guards = true

// The file descriptors of a guard. It reads orders from stdin. The last two are the stdin and
// stdout of its command, if it has streams.
const (
	ordersFile  = 0
	reportsFile = 3
	inputFile   = 4
	outputFile  = 5
)

// Guard is the main function of a guard process. It runs commands as it is ordered, and returns
// after the supervisor has ended or closed its pipe, and all process groups of the commands have
// ended. It returns ErrNoGuard if it was not started by run.
//
// Guard keeps its thread: on Linux the kernel kills a command when the thread that started it
// ends.
func Guard(c elector.Clock, log *slog.Logger, argv []string, streams bool) error {
	if !isPipe(ordersFile) || !isPipe(reportsFile) || len(argv) == 0 || streams && (!isPipe(inputFile) || !isPipe(outputFile)) {
		return ErrNoGuard
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer SurviveClosedPipes()()
	setProcessName("fdbelect-guard")
	becomeSubreaper()
	wake, stop, err := childrenEnd()
	if err != nil {
		return err
	}
	defer stop()
	files := []int{reportsFile} // the commands must not hold them
	if streams {
		files = append(files, inputFile, outputFile)
	}
	for _, fd := range files {
		syscall.CloseOnExec(fd)
	}
	g := &guardProcess{
		argv: argv, streams: streams, reports: os.NewFile(reportsFile, "reports"), log: log, clock: c, wake: wake,
		children: make(map[int]*guardChild),
	}
	g.run()
	return nil
}

func isPipe(fd int) bool {
	var stat syscall.Stat_t
	return syscall.Fstat(fd, &stat) == nil && stat.Mode&syscall.S_IFMT == syscall.S_IFIFO
}

// guardProcess is the guard of one command or of many, with its pipes.
type guardProcess struct {
	argv    []string
	streams bool // the command has pipes to the supervisor
	reports *os.File
	log     *slog.Logger
	clock   elector.Clock
	wake    int // a pipe that can be read after a child has ended

	session   string // the newest one
	deadlines        // of session
	children  map[int]*guardChild
	starts    []order  // of commands that have not been started yet
	outlived  []ending // of commands that ended after the supervisor

	unread []byte  // the begin of the next order
	orders []order // parsed, and not taken yet
	orphan bool    // the supervisor has closed the pipe, or its order could not be parsed
}

// guardChild is a command, with its process group.
type guardChild struct {
	guardState
	number  int
	session string
	pid     int
	exited  bool // the command, and its group gets SIGKILL
	status  syscall.WaitStatus
	since   time.Time // when it exited
}

func (g *guardProcess) send(r report) {
	fmt.Fprintln(g.reports, r) // it fails if the supervisor has ended
}

// run carries out the orders until it is an orphan without children.
func (g *guardProcess) run() {
	for {
		// The orders come first. After a pause of this process they may hold newer deadlines.
		now := clock.Boot()
		g.poll(0)
		g.take()
		g.reap()
		wait := guardTick
		for _, child := range g.children {
			if child.exited {
				wait = min(wait, groupPoll)
				continue
			}
			g.act(child, now)
			wait = min(wait, child.wait(now))
		}
		switch {
		case g.orphan && len(g.children) == 0:
			g.logOutlived()
			return
		case len(g.starts) > 0:
			g.start(g.starts[0], now)
			g.starts = g.starts[1:]
		default:
			g.poll(wait)
		}
	}
}

// act sends a command the signals that are due.
func (g *guardProcess) act(child *guardChild, now time.Duration) {
	terminate, kill := child.due(now)
	if terminate {
		if child.cut {
			g.send(report{verb: reportCut, child: child.number})
		}
		signalGroup(child.pid, syscall.SIGTERM)
	}
	if kill {
		signalGroup(child.pid, syscall.SIGKILL)
		g.send(report{verb: reportKilled, child: child.number})
	}
}

// take carries out the orders.
func (g *guardProcess) take() {
	for _, o := range g.orders {
		switch child := g.children[o.child]; {
		case o.verb == orderStart:
			g.starts = append(g.starts, o)
		case o.verb == orderUntil:
			g.until(o)
		case child == nil: // it has ended, or was not started yet
			g.takeEarly(o)
		case o.verb == orderSignal:
			if isForwarded(syscall.Signal(o.signal)) {
				_ = syscall.Kill(child.pid, syscall.Signal(o.signal)) // the command may have ended
			}
		default:
			child.take(o)
		}
	}
	g.orders = nil
	if !g.orphan {
		return
	}
	g.starts = nil
	for _, child := range g.children {
		child.orphaned()
	}
}

// takeEarly does not start a command that is to be stopped already.
func (g *guardProcess) takeEarly(o order) {
	for i, start := range g.starts {
		if start.child == o.child && (o.verb == orderStop || o.verb == orderKill) {
			g.starts = append(g.starts[:i:i], g.starts[i+1:]...)
			g.send(report{verb: reportExited, child: o.child})
			return
		}
	}
}

// until updates the deadlines of a session.
func (g *guardProcess) until(o order) {
	g.session, g.deadlines = o.session, o.deadlines
	for _, child := range g.children {
		if child.session == o.session {
			child.take(o)
		}
	}
}

// poll waits for orders, for the end of a command, or for a time.
func (g *guardProcess) poll(wait time.Duration) {
	files := []unix.PollFd{{Fd: ordersFile, Events: unix.POLLIN}, {Fd: int32(g.wake), Events: unix.POLLIN}}
	if g.orphan {
		files[0].Fd = -1 // poll would return at once
	}
	// The time is rounded down, so that the guard is not late.
	n, err := unix.Poll(files, int(wait/time.Millisecond))
	if n <= 0 || err != nil { // a timeout, or a signal interrupted the call
		return
	}
	if files[0].Revents != 0 {
		g.read()
	}
	if files[1].Revents != 0 {
		_, _ = syscall.Read(g.wake, make([]byte, 64)) // what is left wakes it up again
	}
}

// read reads the orders in the pipe. If one cannot be read or parsed, the guard acts as if
// the supervisor had ended.
func (g *guardProcess) read() {
	buffer := make([]byte, 1<<16) // the capacity of a pipe
	n, err := syscall.Read(ordersFile, buffer)
	switch {
	case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.EAGAIN):
		return
	case err != nil || n <= 0:
		g.orphan = true
		return
	}
	g.unread = append(g.unread, buffer[:n]...)
	for {
		line, rest, complete := bytes.Cut(g.unread, []byte("\n"))
		if !complete {
			return
		}
		g.unread = rest
		o, err := parseOrder(string(line))
		if err != nil {
			g.orphan = true
			return
		}
		g.orders = append(g.orders, o)
	}
}
