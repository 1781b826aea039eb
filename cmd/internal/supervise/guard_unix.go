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

// guards is true if commands have a guard on this system.
const guards = true

// The file descriptors of a guard. It reads orders from stdin.
const (
	ordersFile  = 0
	reportsFile = 3
)

// Guard is the main function of a guard process. It waits for the first deadlines, runs the
// command, and returns after the whole process group of the command has ended. It returns
// ErrNoGuard if it was not started by run.
func Guard(c elector.Clock, log *slog.Logger, argv []string) error {
	if !isPipe(ordersFile) || !isPipe(reportsFile) || len(argv) == 0 {
		return ErrNoGuard
	}
	defer SurviveClosedPipes()()
	setProcessName("fdbelect-guard")
	syscall.CloseOnExec(reportsFile) // the command must not hold it
	g := &guardProcess{
		reports: os.NewFile(reportsFile, "reports"),
		log:     log,
		clock:   c,
	}
	for !g.ready {
		if g.poll(-1, -1); g.orphan {
			return nil // the command has not been started
		}
	}
	if g.take(); !g.orphan && clock.Boot() < g.stop {
		g.run(argv)
		return nil
	}
	g.send(report{verb: reportCut})
	g.send(report{verb: reportExited})
	return nil
}

func isPipe(fd int) bool {
	var stat syscall.Stat_t
	return syscall.Fstat(fd, &stat) == nil && stat.Mode&syscall.S_IFMT == syscall.S_IFIFO
}

// guardProcess is the guard of a command, with its pipes.
type guardProcess struct {
	guardState
	reports *os.File
	log     *slog.Logger
	clock   elector.Clock
	unread  []byte  // the begin of the next order
	orders  []order // parsed, and not taken yet
	ready   bool    // it has received deadlines
	orphan  bool    // the supervisor has closed the pipe, or its order could not be parsed
	pid     int     // of the command, and of its process group
}

func (g *guardProcess) send(r report) {
	fmt.Fprintln(g.reports, r) // it fails if the supervisor has ended
}

// run starts the command, carries out the orders, and returns after its end.
func (g *guardProcess) run(argv []string) {
	ended, done, err := os.Pipe() // closed after the process group has ended
	if err != nil {
		g.send(report{verb: reportFailed, text: err.Error()})
		return
	}
	defer ended.Close() //nolint:errcheck // nothing was written
	started, result := make(chan error, 1), make(chan syscall.WaitStatus, 1)
	go func() {
		defer done.Close() //nolint:errcheck // nothing was written
		result <- g.startAndReap(argv, started)
	}()
	if err := <-started; err != nil {
		g.send(report{verb: reportFailed, text: err.Error()})
		return
	}
	g.send(report{verb: reportStarted, number: g.pid})
	fd := int(ended.Fd())
	for {
		// The orders come first. After a pause of this process they may hold newer
		// deadlines.
		g.take()
		now := clock.Boot()
		terminate, kill := g.due(now)
		if terminate {
			if g.cut {
				g.send(report{verb: reportCut})
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
	g.send(r)
	if g.orphan { // the supervisor cannot log the end
		ending{pid: g.pid, err: (&Command{Args: argv}).reported(r)}.log(g.log, causeOrphaned)
	}
}

// take carries out signal orders, and updates the state with the others.
func (g *guardProcess) take() {
	for _, o := range g.orders {
		if o.verb == orderSignal && g.pid != 0 && isForwarded(syscall.Signal(o.signal)) {
			_ = syscall.Kill(g.pid, syscall.Signal(o.signal)) // the command may have ended
		}
		g.guardState.take(o)
	}
	g.orders = nil
	if g.orphan {
		g.orphaned()
	}
}

// poll waits for orders, for the end of the command, or for a time. If ended is negative,
// it does not wait for the command. If wait is negative, it waits without a limit.
func (g *guardProcess) poll(ended int, wait time.Duration) (over bool) {
	files := []unix.PollFd{{Fd: ordersFile, Events: unix.POLLIN}, {Fd: int32(ended), Events: unix.POLLIN}}
	if g.orphan {
		files[0].Fd = -1 // poll would return at once
	}
	timeout := -1
	if wait >= 0 {
		timeout = int(wait / time.Millisecond) // rounded down, so that the guard is not late
	}
	n, err := unix.Poll(files, timeout)
	if n <= 0 || err != nil { // a timeout, or a signal interrupted the call
		return false
	}
	if files[0].Revents != 0 {
		g.read()
	}
	return files[1].Revents != 0
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
		g.ready = g.ready || o.verb == orderUntil
		g.orders = append(g.orders, o)
	}
}

// startAndReap starts the command in a process group of its own and waits for its end. Then
// it kills the rest of the group and waits for that. The goroutine keeps its thread: on
// Linux the kernel kills the command when the thread that started it ends.
func (g *guardProcess) startAndReap(argv []string, started chan<- error) (status syscall.WaitStatus) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	becomeSubreaper()
	pid, err := startCommand(argv)
	g.pid = pid
	started <- err
	if err != nil {
		return status
	}
	for { // it also reaps orphans of the command
		var s syscall.WaitStatus
		got, err := syscall.Wait4(-1, &s, 0, nil)
		if got == pid && (s.Exited() || s.Signaled()) {
			status = s
			break
		}
		if err != nil && !errors.Is(err, syscall.EINTR) {
			break // there is no child left
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
	defer null.Close() //nolint:errcheck // nothing was written
	attr := &syscall.SysProcAttr{Setpgid: true}
	killWithParent(attr)
	pid, err = syscall.ForkExec(path, argv, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{null.Fd(), 1, 2}, Sys: attr,
	})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return pid, nil
}
