//go:build unix && !aix && !netbsd

package supervise

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// guard is a guard process, as the supervisor sees it.
type guard struct {
	command *Command
	cmd     *exec.Cmd
	times   guardDeadlines // used by until alone
	gone    chan struct{}  // closed after it has ended and its output was copied

	mu       sync.Mutex
	orders   *os.File         // nil after the guard has ended
	children map[int]*guarded // that have not ended
	last     int              // the number of the last one
	heard    time.Time        // when it last reported anything
	hangs    bool             // it was killed, because it did not start a command
}

// guarded is a command under a guard.
type guarded struct {
	guard  *guard
	number int
	log    *slog.Logger
	begun  chan struct{} // closed after the guard has tried to start it
	ended  chan ending

	// These are guarded by guard.mu.
	pid    int // zero before it is known
	end    ending
	killed bool // the guard has carried out kill
}

// streams are the ends of the pipes of a command that the guard passes on.
type streams struct{ input, output *os.File }

// startGuard starts a guard process for commands that c describes.
func (c *Command) startGuard(env []string, pipes *streams) (*guard, error) {
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
	g := &guard{command: c, orders: orders, gone: make(chan struct{}), children: make(map[int]*guarded)}
	g.cmd = &exec.Cmd{
		Path: program, Args: append(slices.Clone(c.GuardArgs), c.Args...), Env: env,
		Stdin: theirOrders, Stdout: c.Stdout, Stderr: c.Stderr, ExtraFiles: []*os.File{theirReports},
		WaitDelay: outputDelay,
		// A terminal sends its signals to the process group of the supervisor only.
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if pipes != nil {
		g.cmd.ExtraFiles = append(g.cmd.ExtraFiles, pipes.input, pipes.output)
	}
	if err := g.cmd.Start(); err != nil {
		_ = orders.Close()
		_ = reports.Close()
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	go g.wait(reports)
	return g, nil
}

// startGuarded starts a guard, which starts the command. subscribe delivers the deadlines
// of the tenure, until the command has ended.
func (c *Command) startGuarded(subscribe func(func(elector.Deadlines)) (unsubscribe func()), env []string, log *slog.Logger) (running, error) {
	const session = "tenure"
	g, err := c.startGuard(env, nil)
	if err != nil {
		return nil, err
	}
	unsubscribe := subscribe(func(d elector.Deadlines) { g.until(session, d) })
	child, err := g.start(session, startOrder{}, log)
	if err != nil {
		unsubscribe()
		g.close()
		return nil, err
	}
	ended := make(chan ending, 1)
	go func() {
		end := <-child.ended
		unsubscribe()
		g.close()
		<-g.gone
		ended <- end
	}()
	return &onlyGuarded{child, ended}, nil
}

// onlyGuarded is a command that has a guard of its own, which ends with it.
type onlyGuarded struct {
	*guarded
	ended chan ending
}

func (g *onlyGuarded) done() <-chan ending { return g.ended }

// errNoOrders is the error of a start if the guard has ended, or does not read its orders.
var errNoOrders = errors.New("its guard does not take orders: it was stopped or killed, or the machine is overloaded")

// start orders the guard to start a command. It does not wait for that.
func (g *guard) start(session string, how startOrder, log *slog.Logger) (*guarded, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last++
	child := &guarded{guard: g, number: g.last, log: log, begun: make(chan struct{}), ended: make(chan ending, 1)}
	if !g.send(order{verb: orderStart, child: child.number, session: session, start: how}) {
		return nil, errNoOrders
	}
	g.children[child.number] = child
	g.expectStart(child)
	return child, nil
}

// expectStart kills the guard if it hangs before it has started a command. Otherwise this process
// would lead without its work. A guard that starts many commands reports each of them, so it has
// time for all. The caller holds g.mu.
func (g *guard) expectStart(child *guarded) {
	now := g.command.Clock.Now
	g.command.Clock.AfterFunc(startTimeout, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		switch {
		case g.children[child.number] == nil || child.pid != 0: // it has ended, or was started
		case now().Sub(g.heard) < startTimeout:
			g.expectStart(child)
		default:
			g.hangs = true
			_ = g.cmd.Process.Kill() // it may have ended
		}
	})
}

// until sends new deadlines to the guard. It never waits.
func (g *guard) until(session string, d elector.Deadlines) {
	boot := clock.Boot() // read before the other clock, so the deadlines may be early but not late
	now := g.command.Clock.Now()
	g.order(order{verb: orderUntil, session: session, deadlines: g.times.of(d, now, boot)})
}

// close ends the guard. Its commands must have ended.
func (g *guard) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closeOrders()
	g.command.Clock.AfterFunc(guardTimeout, func() { _ = g.cmd.Process.Kill() }) // it may have ended
}

// alive reports whether the guard takes orders.
func (g *guard) alive() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.orders != nil
}

func (g *guard) closeOrders() {
	if g.orders != nil {
		_ = g.orders.Close()
		g.orders = nil
	}
}

// order writes an order to the guard, see send.
func (g *guard) order(o order) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.send(o)
}

// send writes an order to the guard. If the pipe is full, it drops the order and does not
// wait, and returns false. The guard then has an earlier deadline. The caller holds g.mu.
func (g *guard) send(o order) bool {
	if g.orders == nil {
		return false
	}
	raw, err := g.orders.SyscallConn()
	if err != nil {
		return false
	}
	line, n := []byte(o.String()+"\n"), 0
	_ = raw.Write(func(fd uintptr) bool {
		n, _ = syscall.Write(int(fd), line)
		return true
	})
	if n > 0 && n < len(line) { // the next order would be lost as well; a short write is atomic
		g.closeOrders()
	}
	return n == len(line)
}

// wait reads the reports of a guard until it has ended. If the end of a command was not
// reported, the guard was killed. wait then ends the command itself.
func (g *guard) wait(reports *os.File) {
	defer reports.Close() //nolint:errcheck // nothing was written
	for scanner := bufio.NewScanner(reports); scanner.Scan(); {
		r, err := parseReport(scanner.Text())
		if err != nil {
			break
		}
		g.reported(r)
	}
	g.mu.Lock()
	g.closeOrders()
	left := g.children
	g.children = make(map[int]*guarded)
	g.mu.Unlock()
	if len(left) > 0 {
		_ = g.cmd.Process.Kill() // it may have closed the pipe only
	}
	var ending sync.WaitGroup
	for _, child := range left {
		ending.Go(child.unguarded)
	}
	ending.Wait()
	_ = g.cmd.Wait() // the exit status of the guard does not matter
	close(g.gone)
}

// reported handles a report.
func (g *guard) reported(r report) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heard = g.command.Clock.Now()
	child := g.children[r.child]
	if child == nil {
		return
	}
	switch r.verb {
	case reportStarted:
		child.pid, child.end.pid = r.number, r.number
		close(child.begun)
		g.command.begun(child.log, r.number)
	case reportCut:
		child.end.cut = true
	case reportKilled:
		child.killed = true
	case reportExited, reportSignaled, reportFailed:
		delete(g.children, r.child)
		if child.pid == 0 {
			close(child.begun)
		}
		child.end.err = g.command.reported(r)
		child.ended <- child.end
	default:
	}
}

// unguarded ends a command whose guard was killed, or did not start it.
func (c *guarded) unguarded() {
	if c.pid != 0 {
		endGroup(c.guard.command.Clock, c.pid)
	} else {
		close(c.begun)
	}
	name := c.guard.command.Args[0]
	if c.guard.hangs && c.pid == 0 {
		c.end.err = &Error{
			name: name, Code: failure, unstarted: true,
			how: fmt.Sprintf("its guard did not start it within %s; the guard was stopped, or the machine is overloaded", startTimeout),
		}
	} else {
		c.end.unguarded = true
		c.end.err = &Error{name: name, Code: 128 + int(syscall.SIGKILL), how: "its guard was killed, and the command with it", killed: true}
	}
	c.ended <- c.end
}

func (c *guarded) done() <-chan ending { return c.ended }

func (c *guarded) terminate() { c.guard.order(order{verb: orderStop, child: c.number}) }

// kill kills the command, even if the guard is stopped. It kills the guard too if that does
// not end the command within guardTimeout, unless it did what it could for this command and
// protects others.
func (c *guarded) kill() {
	g := c.guard
	g.mu.Lock()
	defer g.mu.Unlock()
	g.send(order{verb: orderKill, child: c.number})
	if g.children[c.number] == nil {
		return
	}
	if c.pid != 0 {
		signalGroup(c.pid, syscall.SIGKILL)
	}
	g.command.Clock.AfterFunc(guardTimeout, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.children[c.number] != nil && (!c.killed || len(g.children) == 1) {
			_ = g.cmd.Process.Kill() // it may have ended
		}
	})
}

func (c *guarded) limit(at time.Time) {
	o := order{verb: orderLimit, child: c.number}
	if !at.IsZero() {
		boot := clock.Boot() // read first, see until
		o.limit = max(boot+at.Sub(c.guard.command.Clock.Now()), 1)
	}
	c.guard.order(o)
}

func (c *guarded) forward(s os.Signal) {
	if s, ok := s.(syscall.Signal); ok {
		c.guard.order(order{verb: orderSignal, child: c.number, signal: int(s)})
	}
}
