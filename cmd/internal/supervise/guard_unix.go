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

// guards is whether commands have a guard here.
const guards = true

// The files of a guard: orders come on its stdin.
const (
	ordersFile  = 0
	reportsFile = 3
)

// runGuard is the whole life of a guard: it waits for the first deadline, starts the
// command, and returns when nothing of it is left.
func Guard(c elector.Clock, log *slog.Logger, argv []string) error {
	if !isPipe(ordersFile) || !isPipe(reportsFile) || len(argv) == 0 {
		return ErrNoGuard
	}
	defer SurviveClosedPipes()()
	callItself("fdbelect-guard")
	syscall.CloseOnExec(reportsFile) // the command must not hold it
	g := &guardProcess{
		reports: os.NewFile(reportsFile, "reports"),
		log:     log,
		clock:   c,
	}
	for !g.told {
		if g.poll(-1, -1); g.gone {
			return nil // before there was anything to guard
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

// guard is the process that holds the deadlines of a command.
type guardProcess struct {
	ward
	reports *os.File
	log     *slog.Logger
	clock   elector.Clock
	unread  []byte  // of an order
	orders  []order // not taken in yet
	told    bool    // the first deadline
	gone    bool    // the supervisor
	pid     int     // of the command, and of its group
}

func (g *guardProcess) say(r report) {
	fmt.Fprintln(g.reports, r) // where nobody is left to read it, nobody is told
}

// run starts the command, and sees to its end.
func (g *guardProcess) run(argv []string) {
	ended, done, err := os.Pipe() // closed when nothing of the command is left
	if err != nil {
		g.say(report{verb: reportFailed, text: err.Error()})
		return
	}
	defer ended.Close() //nolint:errcheck // nothing was written
	started, result := make(chan error, 1), make(chan syscall.WaitStatus, 1)
	go func() {
		defer done.Close() //nolint:errcheck // nothing was written
		result <- g.startAndReap(argv, started)
	}()
	if err := <-started; err != nil {
		g.say(report{verb: reportFailed, text: err.Error()})
		return
	}
	g.say(report{verb: reportStarted, number: g.pid})
	fd := int(ended.Fd())
	for {
		// The orders first: what stands after a pause of this process are those that
		// came meanwhile.
		g.take()
		now := clock.Boot()
		ask, kill := g.due(now)
		if ask {
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
	if g.gone { // it cannot log the end any more
		ending{pid: g.pid, err: (&Command{Args: argv}).reported(r)}.log(g.log, causeOrphaned)
	}
}

// take takes in the orders that have come.
func (g *guardProcess) take() {
	for _, o := range g.orders {
		if o.verb == orderSignal && g.pid != 0 && passesOn(syscall.Signal(o.signal)) {
			_ = syscall.Kill(g.pid, syscall.Signal(o.signal)) // it may have ended
		}
		g.ward.take(o)
	}
	g.orders = nil
	if g.gone {
		g.orphaned()
	}
}

// poll waits for orders, for the end of the command where it has a file for that,
// or until a time has passed; a negative one never does.
func (g *guardProcess) poll(ended int, wait time.Duration) (over bool) {
	files := []unix.PollFd{{Fd: ordersFile, Events: unix.POLLIN}, {Fd: int32(ended), Events: unix.POLLIN}}
	if g.gone {
		files[0].Fd = -1 // its end was seen
	}
	timeout := -1
	if wait >= 0 {
		timeout = int(wait / time.Millisecond) // less rather than more
	}
	n, err := unix.Poll(files, timeout)
	if n <= 0 || err != nil { // interrupted: it is called again
		return false
	}
	if files[0].Revents != 0 {
		g.read()
	}
	return files[1].Revents != 0
}

// read reads the orders that are there. What cannot be read is no supervisor.
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
		g.told = g.told || o.verb == orderUntil
		g.orders = append(g.orders, o)
	}
}

// startAndReap starts the command in a process group of its own, waits for its
// end, ends what is left of the group, and waits for that. The thread stays with
// it all the time: on Linux the command is to die with its parent, and the kernel
// takes the thread for the parent.
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
	for { // of whatever it has left to this process meanwhile, too
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
	defer null.Close() //nolint:errcheck // nothing was written
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
