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

	notice notice // of until alone
	log    *slog.Logger

	mu     sync.Mutex
	orders *os.File // nil once it has ended
	pid    int      // of the command; zero while it is not known, and once it has ended
	ended  chan ending
}

// startGuarded starts a guard, and has it start the command. follow passes on the
// deadlines, from now until the command has ended.
func (c *Command) startGuarded(follow func(func(elector.Deadlines)) (unfollow func()), env []string, log *slog.Logger) (running, error) {
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
		// Out of reach of what a terminal sends to the group of its supervisor.
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

// until passes on new deadlines. It never waits.
func (g *guarded) until(d elector.Deadlines) {
	machine := clock.Boot() // before the other clock: if anything it is early
	now := g.child.Clock.Now()
	g.order(order{verb: orderUntil, deadlines: g.notice.of(d, now, machine)})
}

func (g *guarded) ask() { g.order(order{verb: orderStop}) }

// kill kills the command also past a guard that does not move.
func (g *guarded) kill() {
	g.order(order{verb: orderKill})
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.pid != 0 {
		signalGroup(g.pid, syscall.SIGKILL)
	}
	g.child.Clock.AfterFunc(guardPatience, func() { _ = g.cmd.Process.Kill() }) // it may have ended
}

func (g *guarded) forward(s os.Signal) {
	if s, ok := s.(syscall.Signal); ok {
		g.order(order{verb: orderSignal, signal: int(s)})
	}
}

// order writes an order, and does not wait where the guard reads none: it holds an
// earlier deadline then.
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
		_, _ = syscall.Write(int(fd), []byte(o.String()+"\n")) // all of it or nothing, as it is short
		return true
	})
}

// wait reads the reports of a guard until it has ended. Where it has not said how
// the command did, it was killed: the command is ended here then.
func (g *guarded) wait(reports *os.File) ending {
	defer reports.Close() //nolint:errcheck // nothing was written
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
		_ = g.cmd.Process.Kill() // where it has only closed its files
	}
	if pid != 0 {
		endGroup(g.child.Clock, pid)
	}
	_ = g.cmd.Wait() // the guard's own end says nothing more
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
