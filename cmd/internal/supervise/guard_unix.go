//go:build unix && !aix && !netbsd

package supervise

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// guards is true: commands have a guard on this system.
const guards = true

// The file descriptors of a guard. Orders arrive on its stdin.
const (
	ordersFile  = 0
	reportsFile = 3
)

// Guard is the main function of a guard: it waits for the first deadlines, starts the
// command, and returns when the command and its group have ended. It returns ErrNoGuard if
// run did not start this process.
func Guard(c elector.Clock, log *slog.Logger, argv []string) error {
	if !isPipe(ordersFile) || !isPipe(reportsFile) || len(argv) == 0 {
		return ErrNoGuard
	}
	defer SurviveClosedPipes()()
	setName("fdbelect-guard")
	syscall.CloseOnExec(reportsFile) // the command must not inherit it
	g := &guardProcess{
		reports: os.NewFile(reportsFile, "reports"),
		log:     log,
		clock:   c,
	}
	for !g.armed {
		if g.poll(-1, -1); g.gone {
			return nil // there was nothing to guard yet
		}
	}
	if g.take(); !g.gone && clock.Boot() < g.stop {
		g.run(argv)
		return nil
	}
	g.say(report{verb: reportCut})
	g.say(report{verb: reportExited})
	return nil
}

func isPipe(fd int) bool {
	var stat syscall.Stat_t
	return syscall.Fstat(fd, &stat) == nil && stat.Mode&syscall.S_IFMT == syscall.S_IFIFO
}

// guardProcess is the state of a guard.
type guardProcess struct {
	plan
	reports *os.File
	log     *slog.Logger
	clock   elector.Clock
	unread  []byte  // the beginning of an order
	orders  []order // not applied yet
	armed   bool    // the first deadlines have arrived
	gone    bool    // the supervisor has
	pid     int     // of the command and its group
}

func (g *guardProcess) say(r report) {
	fmt.Fprintln(g.reports, r) // if the supervisor has gone, there is no reader
}

// run starts the command and controls it until it has ended.
func (g *guardProcess) run(argv []string) {
	ended, done, err := os.Pipe() // closed when the command and its group have ended
	if err != nil {
		g.say(report{verb: reportFailed, text: err.Error()})
		return
	}
	defer ended.Close() //nolint:errcheck // nothing was written to it
	started, result := make(chan error, 1), make(chan syscall.WaitStatus, 1)
	go func() {
		defer done.Close() //nolint:errcheck // nothing was written to it
		result <- g.startAndReap(argv, started)
	}()
	if err := <-started; err != nil {
		g.say(report{verb: reportFailed, text: err.Error()})
		return
	}
	g.say(report{verb: reportStarted, number: g.pid})
	fd := int(ended.Fd())
	for {
		// The orders first. If this process was stopped, newer deadlines may have arrived.
		g.take()
		now := clock.Boot()
		terminate, kill := g.due(now)
		if terminate {
			if g.cut {
				g.say(report{verb: reportCut})
			}
			signalGroup(g.pid, syscall.SIGTERM)
		}
		if kill {
			signalGroup(g.pid, syscall.SIGKILL)
		}
		if over := g.poll(fd, g.wait(now)); over {
			break
		}
	}
	r := report{verb: reportExited}
	if status := <-result; status.Signaled() {
		r = report{verb: reportSignaled, number: int(status.Signal())}
	} else {
		r.number = status.ExitStatus()
	}
	g.say(r)
	if g.gone { // the supervisor cannot log the end any more
		ending{pid: g.pid, err: (&Command{Args: argv}).reported(r)}.log(g.log, causeOrphaned)
	}
}

// take applies the orders that have arrived.
func (g *guardProcess) take() {
	for _, o := range g.orders {
		if o.verb == orderSignal && g.pid != 0 && isForwarded(syscall.Signal(o.signal)) {
			_ = syscall.Kill(g.pid, syscall.Signal(o.signal)) // it may have ended
		}
		g.plan.take(o)
	}
	g.orders = nil
	if g.gone {
		g.orphaned()
	}
}

// poll waits for orders, for the end of the command if ended is its file, or until wait
// has passed. A negative wait has no limit.
func (g *guardProcess) poll(ended int, wait time.Duration) (over bool) {
	files := []unix.PollFd{{Fd: ordersFile, Events: unix.POLLIN}, {Fd: int32(ended), Events: unix.POLLIN}}
	if g.gone {
		files[0].Fd = -1 // its end was seen
	}
	timeout := -1
	if wait >= 0 {
		timeout = int(wait / time.Millisecond) // rounded down
	}
	n, err := unix.Poll(files, timeout)
	if n <= 0 || err != nil { // interrupted: the caller polls again
		return false
	}
	if files[0].Revents != 0 {
		g.read()
	}
	return files[1].Revents != 0
}

// read reads the orders that are there. If an order cannot be parsed, it is not from the
// supervisor, which counts as gone.
func (g *guardProcess) read() {
	buffer := make([]byte, 1<<16) // all that a pipe holds
	n, err := syscall.Read(ordersFile, buffer)
	switch {
	case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.EAGAIN):
		return
	case err != nil || n <= 0:
		g.gone = true
		return
	}
	g.unread = append(g.unread, buffer[:n]...)
	for {
		line, rest, whole := bytes.Cut(g.unread, []byte("\n"))
		if !whole {
			return
		}
		g.unread = rest
		o, err := parseOrder(string(line))
		if err != nil {
			g.gone = true
			return
		}
		g.armed = g.armed || o.verb == orderUntil
		g.orders = append(g.orders, o)
	}
}

// startAndReap starts the command in a process group of its own and waits for its end,
// then ends the rest of the group and waits for that. The thread stays with it all the
// time: on Linux the command dies with its parent, and for the kernel the parent is the
// thread.
func (g *guardProcess) startAndReap(argv []string, started chan<- error) (status syscall.WaitStatus) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	adopt()
	pid, err := startCommand(argv)
	g.pid = pid
	started <- err
	if err != nil {
		return status
	}
	for { // also for processes that the command has left to this one
		var s syscall.WaitStatus
		got, err := syscall.Wait4(-1, &s, 0, nil)
		if got == pid && (s.Exited() || s.Signaled()) {
			status = s
			break
		}
		if err != nil && !errors.Is(err, syscall.EINTR) {
			break // there is nothing to wait for: it has ended
		}
	}
	endGroup(g.clock, pid)
	return status
}

func startCommand(argv []string) (pid int, err error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer null.Close() //nolint:errcheck // nothing was written to it
	attr := &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(attr)
	pid, err = syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{null.Fd(), 1, 2}, Sys: attr,
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return pid, nil
}
