package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// child is the command of "fdbelect run". It believes for as long as it lives: the guard must end
// it in time.
type child struct {
	store, dir, name, bug string
	escaped               bool
}

// escapeTime is how long a child lives that has left its process group.
const escapeTime = 8 * time.Second

func childCommand() *cobra.Command {
	var c child
	cmd := &cobra.Command{
		Use: "child", Hidden: true, Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return c.run() },
	}
	flags := cmd.Flags()
	flags.StringVar(&c.store, "store", "", "the store")
	flags.StringVar(&c.dir, "dir", "", "the directory of the diary")
	flags.StringVar(&c.name, "name", "", "the begin of the name of the diary")
	flags.StringVar(&c.bug, "bug", "", "the planted bug")
	flags.BoolVar(&c.escaped, "escaped", false, "it has left its process group")
	return cmd
}

func (c *child) run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if c.bug == bugGuard && !c.escaped {
		return c.escape(ctx)
	}
	token, err := election.ParseToken(os.Getenv("FDBELECT_TOKEN"))
	if err != nil {
		return err
	}
	d, err := openDiary(c.dir, fmt.Sprintf("%s-child-%d", c.name, os.Getpid()))
	if err != nil {
		return err
	}
	now := clock.Boot()
	d.write(entry{Kind: believes, At: now, Term: token.Term})
	d.write(entry{Kind: claimed, At: now, Term: token.Term, Token: token.Text()})
	go c.write(ctx, d, token)
	end := context.Background() // a stubborn child ignores SIGTERM
	switch {
	case c.escaped:
		var cancel context.CancelFunc
		end, cancel = context.WithTimeout(end, escapeTime)
		defer cancel()
	case rand.IntN(2) == 0:
		end = ctx
	}
	for end.Err() == nil {
		d.write(entry{Kind: believes, At: clock.Boot(), Term: token.Term})
		_ = wait(end, beliefInterval)
	}
	return nil
}

// write appends rows with the token of the command.
func (c *child) write(ctx context.Context, d *diary, token election.Token) {
	db, closer, err := openStore(c.store)
	if err != nil {
		d.write(entry{Kind: noted, At: clock.Boot(), Text: err.Error()})
		return
	}
	defer closer.Close() //nolint:errcheck // the process ends
	fence := func(tr kv.Transaction) error { return theElection.RequireLeadership(tr, token) }
	if c.bug == bugFence {
		fence = nil
	}
	w := rowWriter{db: db, diary: d, name: fmt.Sprintf("%s-child-%d", c.name, os.Getpid()), term: token.Term, bug: c.bug, fence: fence}
	w.run(ctx)
}

// escape does the work in a process of a session of its own.
func (c *child) escape(ctx context.Context) error {
	cmd := exec.Command("/proc/self/exe", "child", "--store", c.store, "--dir", c.dir, "--name", c.name, "--bug", c.bug, "--escaped")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}
