//go:build unix && !aix && !netbsd

package supervise

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// guarded is a command under a guard, as the supervisor sees it.
type guarded struct {
	child *Command
	cmd   *exec.Cmd // the guard

	deadlines guardDeadlines // used by until alone
	log       *slog.Logger

	mu     sync.Mutex
	orders *os.File // nil after the guard has ended
	pid    int      // of the command; zero before it is known, and after its end
	ended  chan ending
}

// startGuarded starts a guard, which starts the command. subscribe delivers the deadlines
// of the tenure, until the command has ended.
func (c *Command) startGuarded(subscribe func(func(elector.Deadlines)) (unsubscribe func()), env []string, log *slog.Logger) (running, error) {
	program, err := ownProgram()
	if err != nil {
		return nil, err
	}
	theirOrders, orders, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirOrders.Close() //nolint:errcheck // nothing was written
	reports, theirReports, err := os.Pipe()
	if err != nil {
		_ = orders.Close()
		return nil, err
	}
	defer theirReports.Close() //nolint:errcheck // nothing was written
	g := &guarded{child: c, log: log, orders: orders, ended: make(chan ending, 1)}
	g.cmd = &exec.Cmd{
		Path: program, Args: append(slices.Clone(c.GuardArgs), c.Args...), Env: env,
		Stdin: theirOrders, Stdout: c.Stdout, Stderr: c.Stderr, ExtraFiles: []*os.File{theirReports},
		WaitDelay: outputDelay,
		// A terminal sends its signals to the process group of the supervisor only.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if err := g.cmd.Start(); err != nil {
		_ = orders.Close()
		_ = reports.Close()
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	unsubscribe := subscribe(g.until)
	go func() {
		e := g.wait(reports)
		unsubscribe()
		g.ended <- e
	}()
	return g, nil
}

func (g *guarded) done() <-chan ending { return g.ended }

// until sends new deadlines to the guard. It never waits.
func (g *guarded) until(d elector.Deadlines) {
	boot := clock.Boot() // read before the other clock, so the deadlines may be early but not late
	now := g.child.Clock.Now()
	g.order(order{verb: orderUntil, deadlines: g.deadlines.of(d, now, boot)})
}

func (g *guarded) terminate() { g.order(order{verb: orderStop}) }

// kill kills the command, even if the guard is stopped. It kills the guard too if that does
// not end within guardTimeout.
func (g *guarded) kill() {
	g.order(order{verb: orderKill})
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pid != 0 {
		signalGroup(g.pid, syscall.SIGKILL)
	}
	g.child.Clock.AfterFunc(guardTimeout, func() { _ = g.cmd.Process.Kill() }) // the guard may have ended
}

func (g *guarded) forward(s os.Signal) {
	if s, ok := s.(syscall.Signal); ok {
		g.order(order{verb: orderSignal, signal: int(s)})
	}
}

// order writes an order to the guard. If the pipe is full, it drops the order and does not
// wait. The guard then has an earlier deadline.
func (g *guarded) order(o order) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.orders == nil {
		return
	}
	raw, err := g.orders.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Write(func(fd uintptr) bool {
		_, _ = syscall.Write(int(fd), []byte(o.String()+"\n")) // a short write to a pipe is atomic
		return true
	})
}

// wait reads the reports of a guard until it has ended. If the end of the command was not
// reported, the guard was killed. wait then ends the command itself.
func (g *guarded) wait(reports *os.File) ending {
	defer reports.Close() //nolint:errcheck // nothing was written
	var end ending
	reported := false
	for scanner := bufio.NewScanner(reports); scanner.Scan(); {
		r, err := parseReport(scanner.Text())
		if err != nil {
			break
		}
		switch r.verb {
		case reportStarted:
			end.pid = r.number
			g.setPID(r.number)
			g.child.begun(g.log, r.number)
		case reportCut:
			end.cut = true
		case reportExited, reportSignaled, reportFailed:
			g.setPID(0)
			reported, end.err = true, g.child.reported(r)
		default:
		}
	}
	g.mu.Lock()
	pid := g.pid
	g.mu.Unlock()
	if !reported {
		_ = g.cmd.Process.Kill() // it may have closed the pipe only
	}
	if pid != 0 {
		endGroup(g.child.Clock, pid)
	}
	_ = g.cmd.Wait() // the exit status of the guard does not matter
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pid = 0
	_ = g.orders.Close()
	g.orders = nil
	if !reported {
		end.unguarded = true
		end.err = &Error{
			name: g.child.Args[0], Code: 128 + int(syscall.SIGKILL), how: "its guard was killed, and the command with it", killed: true,
		}
	}
	return end
}

func (g *guarded) setPID(pid int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pid = pid
}
