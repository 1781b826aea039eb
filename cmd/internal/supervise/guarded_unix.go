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

// guarded is a command under a guard, as its supervisor sees it.
type guarded struct {
	child *Command
	cmd   *exec.Cmd // the guard

	notice notice // of until only
	log    *slog.Logger

	mu     sync.Mutex
	orders *os.File // nil once the command has ended
	pid    int      // of the command; zero if it is not known yet or has ended
	ended  chan ending
}

// startGuarded starts a guard, which starts the command. follow calls its function with
// the deadlines, now and at every change, until unfollow is called.
func (c *Command) startGuarded(follow func(func(elector.Deadlines)) (unfollow func()), env []string, log *slog.Logger) (running, error) {
	program, err := ownProgram()
	if err != nil {
		return nil, err
	}
	theirOrders, orders, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirOrders.Close() //nolint:errcheck // nothing was written to it
	reports, theirReports, err := os.Pipe()
	if err != nil {
		_ = orders.Close()
		return nil, err
	}
	defer theirReports.Close() //nolint:errcheck // nothing was written to it
	g := &guarded{child: c, log: log, orders: orders, ended: make(chan ending, 1)}
	g.cmd = &exec.Cmd{
		Path: program, Args: append(slices.Clone(c.GuardArgs), c.Args...), Env: env,
		Stdin: theirOrders, Stdout: c.Stdout, Stderr: c.Stderr, ExtraFiles: []*os.File{theirReports},
		WaitDelay: outputDelay,
		// A terminal must not send its signals to the guard.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if err := g.cmd.Start(); err != nil {
		_ = orders.Close()
		_ = reports.Close()
		return nil, fmt.Errorf("its guard: %w", err)
	}
	unfollow := follow(g.until)
	go func() {
		e := g.wait(reports)
		unfollow()
		g.ended <- e
	}()
	return g, nil
}

func (g *guarded) done() <-chan ending { return g.ended }

// until sends new deadlines to the guard. It never waits.
func (g *guarded) until(d elector.Deadlines) {
	machine := clock.Boot() // read before the other clock, so that the deadlines are early rather than late
	now := g.child.Clock.Now()
	g.order(order{verb: orderUntil, deadlines: g.notice.of(d, now, machine)})
}

func (g *guarded) terminate() { g.order(order{verb: orderStop}) }

// kill kills the command, also if the guard is stopped.
func (g *guarded) kill() {
	g.order(order{verb: orderKill})
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pid != 0 {
		signalGroup(g.pid, syscall.SIGKILL)
	}
	g.child.Clock.AfterFunc(guardReportLimit, func() { _ = g.cmd.Process.Kill() }) // it may have ended
}

func (g *guarded) forward(s os.Signal) {
	if s, ok := s.(syscall.Signal); ok {
		g.order(order{verb: orderSignal, signal: int(s)})
	}
}

// order writes an order. If the guard does not read and the pipe is full, the order is
// dropped. The guard has an earlier deadline then.
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
		_, _ = syscall.Write(int(fd), []byte(o.String()+"\n")) // it is short, so all of it is written or nothing
		return true
	})
}

// wait reads the reports of a guard until the guard has ended. If the guard did not report
// the end of the command, it was killed, and wait ends the command.
func (g *guarded) wait(reports *os.File) ending {
	defer reports.Close() //nolint:errcheck // nothing was written to it
	var end ending
	said := false
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
			said, end.err = true, g.child.reported(r)
		default:
		}
	}
	g.mu.Lock()
	pid := g.pid
	g.mu.Unlock()
	if !said {
		_ = g.cmd.Process.Kill() // it may only have closed its files
	}
	if pid != 0 {
		endGroup(g.child.Clock, pid)
	}
	_ = g.cmd.Wait() // its reports said how the command ended
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pid = 0
	_ = g.orders.Close()
	g.orders = nil
	if !said {
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
