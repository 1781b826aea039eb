package scenario

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/bench/internal/figures"
	"github.com/fdbelection/fdbelection/bench/internal/system"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// ChildArgument is the first argument of a process that campaigns for a scenario.
const ChildArgument = "candidate"

// Child campaigns in elections until its standard input ends, and prints what happens. It is the
// main function of a child process, with the arguments that start gives it.
func Child(ctx context.Context, systems []system.System, args []string) error {
	var name, address, id string
	var s system.Settings
	var elections int
	if len(args) != 1 {
		return fmt.Errorf("it needs one argument")
	}
	if _, err := fmt.Sscanf(args[0], "%q %q %q %d %d %t %d", &name, &address, &id, &s.Lease, &s.Heartbeat, &s.Durable, &elections); err != nil {
		return err
	}
	for _, y := range systems {
		if y.Name == name {
			return runChild(ctx, y, address, id, s, elections)
		}
	}
	return fmt.Errorf("unknown system %q", name)
}

func runChild(ctx context.Context, y system.System, address, id string, s system.Settings, elections int) error {
	client, err := y.Connect(ctx, address, s)
	if err != nil {
		return err
	}
	defer client.Close()
	var mu sync.Mutex
	say := func(what string, election int, at time.Time) {
		boot := clock.Boot() - time.Since(at)
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(what, election, int64(boot))
	}
	var all []system.Candidate
	for i := range elections {
		one, err := client.Campaign(ctx, electionName(i), id, system.Candidacy{
			Lead:    func() { say("leads", i, time.Now()) },
			Renewed: func(before time.Time) { say("renewed", i, before) },
		})
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	for _, one := range all {
		if err := one.Resign(ctx); err != nil {
			return err
		}
	}
	return nil
}

func electionName(i int) string { return fmt.Sprintf("of-processes-%d", i) }

// child is a process that campaigns.
type child struct {
	cmd   *exec.Cmd
	stdin io.Closer

	mu      sync.Mutex
	leads   int
	renewed map[int]time.Duration // on the boot clock
	first   time.Duration         // when it first led
	changed chan struct{}
	ended   chan struct{}
}

// start starts a process that campaigns in elections.
func (b *bench) start(id string, elections int) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := b.settings
	c := &child{renewed: make(map[int]time.Duration), changed: make(chan struct{}, 1), ended: make(chan struct{})}
	c.cmd = exec.Command(self, ChildArgument, //nolint:gosec // it is this program
		fmt.Sprintf("%q %q %q %d %d %t %d", b.system.Name, b.server.Address(), id, s.Lease, s.Heartbeat, s.Durable, elections))
	c.cmd.Stderr = os.Stderr
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(c.ended)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			c.note(lines.Text())
		}
	}()
	return c, nil
}

func (c *child) note(line string) {
	var what string
	var election int
	var at time.Duration
	if n, _ := fmt.Sscan(line, &what, &election, &at); n < 3 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch what {
	case "renewed":
		c.renewed[election] = at
	case "leads":
		if c.leads++; c.leads == 1 {
			c.first = at
		}
		select {
		case c.changed <- struct{}{}:
		default:
		}
	}
}

// await waits until the process leads so many elections.
func (c *child) await(ctx context.Context, elections int) error {
	for {
		c.mu.Lock()
		n := c.leads
		c.mu.Unlock()
		if n >= elections {
			return nil
		}
		select {
		case <-c.changed:
		case <-c.ended:
			return fmt.Errorf("the process has ended with %d of %d elections", n, elections)
		case <-ctx.Done():
			return fmt.Errorf("a process leads %d of %d elections: %w", n, elections, context.Cause(ctx))
		}
	}
}

// kill kills the process.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
	_ = c.cmd.Wait()
}

// stop lets the process resign and end.
func (c *child) stop() error {
	_ = c.stdin.Close()
	<-c.ended
	return c.cmd.Wait()
}

// cold measures the time from the start of a process until it leads.
func cold(ctx context.Context, b *bench) (figures.Result, error) {
	took := figures.NewRecorder()
	err := b.rounds(ctx, 200, 20*time.Second, func(round int) error {
		begin := clock.Boot()
		one, err := b.start(fmt.Sprint("cold", round), 1)
		if err != nil {
			return err
		}
		defer one.kill()
		if err := one.await(ctx, 1); err != nil {
			return err
		}
		took.Add(one.first - begin)
		return one.stop()
	})
	return figures.Result{Times: took.Times()}, err
}
