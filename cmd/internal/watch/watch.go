package watch

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
)

// watchFlags are the flags of "watch".
type watchFlags struct {
	session.Report
	tui   bool
	until string
	limit time.Duration

	done *regexp.Regexp
	last lastRecord
}

const longHelp = `watch shows every change of an election as it happens, until it is interrupted. It
writes nothing, and does not appear among the candidates.

On a terminal it shows a table that is redrawn: the leader and the rest of its lease, the
candidates by rank, and the last events. q ends it. If the output is not a terminal, or with
--output or --tui=false, it prints one line per change: the time, the leader, the term, the
ballot, the event and its reason, as in

  ... leader=b term=2 ballot=7 event=elected reason=expiry

Events of the leadership:

  start, elected, vacant, accepted
  lease_expired      no renewal was seen for the lease; renewed is the next renewal
  requested, withdrawn, config
  reset              the ballot went back, so the election was removed or the store restored

Events of candidates:

  present (at the start), joined, restarted, changed, left, duplicate
  timed_out          no heartbeat was seen for the candidate timeout;
                     heartbeat_resumed is the next heartbeat

If the store or a record cannot be read, the event is unreadable, and later readable. watch
retries until it is interrupted. Changes of the leadership and of candidates are pushed by
the store, so they are shown within milliseconds. It reports every tenure that the history
has, even if several began between two reads. It does not rely on the clocks of other hosts: leases and
timeouts count from what it has seen itself.

With --output json each line is a JSON object. With --output yaml each change is a document.

--until REGEXP ends with the first line that matches. --until leader ends once a leader was
seen to write: to accept leadership, or to renew. The record of a dead leader does not
count, so that takes up to a heartbeat. "status --check" answers at once, by the clocks.
--for ends after a time, with exit code 5 if --until did not match.`

// Command returns the subcommand "watch".
func Command(p *session.Program) *cobra.Command {
	var f watchFlags
	cmd := &cobra.Command{
		Use:   "watch --store STORE [flags]",
		Short: "Watch an election live: the leader and the candidates",
		Long:  longHelp,
		Example: `  fdbelect watch --store file:/tmp/demo.db
  fdbelect watch --store file:/tmp/demo.db --output json
  fdbelect watch --store file:/tmp/demo.db --until leader --for 10s
  fdbelect watch --store file:/tmp/demo.db --tui=false --until 'event=vacant'`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.parse(cmd.Flags().Changed, p); err != nil {
				return exit.Usage(err)
			}
			return runWatch(cmd.Context(), p, &f)
		},
	}
	f.AddFlags(cmd)
	f.addOwn(cmd, "end with the first line that matches this regular expression, or \"leader\"")
	return cmd
}

// addOwn adds the flags besides those of a report.
func (f *watchFlags) addOwn(cmd *cobra.Command, until string) {
	flags := cmd.Flags()
	flags.BoolVar(&f.tui, "tui", false, "draw a table (default: on a terminal, without --output)")
	flags.StringVar(&f.until, "until", "", until)
	flags.DurationVar(&f.limit, "for", 0, "how long to watch (default: until interrupted)")
}

// parse checks the flags and decides whether to draw a table.
func (f *watchFlags) parse(given func(flag string) bool, p *session.Program) error {
	if err := f.check(given("for"), given("until")); err != nil {
		return err
	}
	terminal := terminal.IsTerminal(p.Stdout)
	switch {
	case given("tui") && f.tui && given("output"):
		return errors.New("--tui draws a table; omit --output")
	case given("tui") && f.tui && !terminal:
		return errors.New("--tui needs a terminal on stdout and the variable TERM")
	case !given("tui"):
		f.tui = terminal && !given("output")
	}
	return nil
}

func (f *watchFlags) check(limited, until bool) error {
	if limited && f.limit <= 0 {
		return fmt.Errorf("--for is %s; it must be above zero", f.limit)
	}
	if until && f.until == "" {
		return errors.New("--until is empty; give a regular expression or \"leader\"")
	}
	if f.until == "" || f.until == "leader" && !f.OfGroup {
		return nil
	}
	var err error
	if f.done, err = regexp.Compile(f.until); err != nil {
		return fmt.Errorf("--until: %w", err)
	}
	return nil
}

// viewer shows what a watch finds. U is the result of a read.
type viewer[U any] interface {
	// show takes the result of a read.
	show(u *U) error
	// tick returns a channel that says when to call draw, or nil.
	tick() <-chan struct{}
	draw() error
	// quit returns a channel that is closed when the user ends the watch, or nil.
	quit() <-chan struct{}
	// close restores the terminal.
	close()
}

// runWatch watches an election until ctx ends, the time is over, or --until matches.
func runWatch(ctx context.Context, p *session.Program, f *watchFlags) error {
	o, err := openWatch(ctx, p, f)
	if err != nil {
		return err
	}
	w := &watcher{opened: o}
	r := &reader[update]{opened: o, read: w.read, heartbeat: w.heartbeat}
	return follow(ctx, f, r, func() viewer[update] { return newViewer(p, f) }, f.reached)
}

// openWatch opens the store.
func openWatch(ctx context.Context, p *session.Program, f *watchFlags) (*opened, error) {
	s, err := p.OpenNamed(ctx, &f.Access)
	if err != nil {
		return nil, err
	}
	if f.Spec == "mem:" {
		fmt.Fprintln(p.Stderr, "fdbelect: mem: is the memory of this process, so there is nothing to see")
	}
	return &opened{Program: p, access: &f.Access, open: s}, nil
}

// follow shows what a reader finds until ctx ends, the time is over, the user ends it, or reached
// returns true.
func follow[U any](ctx context.Context, f *watchFlags, r *reader[U], newViewer func() viewer[U], reached func(u *U) bool) error {
	ctx, stop := context.WithCancel(ctx)
	over := make(chan struct{})
	if f.limit > 0 {
		timer := r.Clock.AfterFunc(f.limit, func() { close(over) })
		defer timer.Stop()
	}
	updates := make(chan U)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.run(ctx, updates)
	}()
	defer func() {
		stop()
		<-ended
	}()

	v := newViewer()
	defer v.close()
	for {
		select {
		case u, ok := <-updates:
			if !ok {
				return nil
			}
			done := reached(&u)
			if err := v.show(&u); err != nil || done {
				return err
			}
		case <-v.tick():
			if err := v.draw(); err != nil {
				return err
			}
		case <-v.quit():
			return nil
		case <-over:
			if f.until != "" {
				return exit.TimedOut(fmt.Errorf("nothing matched --until %s within %s", election.SafeText(f.until), f.limit))
			}
			return nil
		}
	}
}

// reached reports whether --until matches. It removes the lines after the matching one
// from the update.
func (f *watchFlags) reached(u *update) bool {
	if f.until == "leader" {
		return u.snapshot != nil && f.last.written(u.snapshot.Leader, u.seen)
	}
	return matches(f, &u.news)
}

// item is one line of a watch.
type item interface {
	line() string
	kind() string
}

// matches reports whether --until matches an item. It removes the items after that one.
func matches[N any, P interface {
	*N
	item
}](f *watchFlags, found *[]N) bool {
	if f.done == nil {
		return false
	}
	for i := range *found {
		if f.done.MatchString(P(&(*found)[i]).line()) {
			*found = (*found)[:i+1]
			return true
		}
	}
	return false
}

// lastRecord is the leader record that was read last. If it changes between two reads, a
// live leader has written it, even if the clock of its host is wrong.
type lastRecord struct {
	record election.LeaderRecord
	seen   time.Time // monotonic; zero before the first read
}

// written takes the leader record of a read that returned at seen. It reports whether the
// leader has written since the previous read, if that read is not older than a lease.
func (l *lastRecord) written(record election.LeaderRecord, seen time.Time) bool {
	before := *l
	*l = lastRecord{record, seen}
	recent := max(record.LeaseDuration, 2*minReadInterval)
	return !before.seen.IsZero() && seen.Sub(before.seen) < recent &&
		!record.Vacant() && record.Accepted && record.Ballot > before.record.Ballot
}
