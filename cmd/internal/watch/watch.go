package watch

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
)

// watchFlags are those of "watch".
type watchFlags struct {
	session.Report
	tui   bool
	until string
	limit time.Duration

	done *regexp.Regexp
	life life
}

func Command(a *session.Program) *cobra.Command {
	var f watchFlags
	cmd := &cobra.Command{
		Use:   "watch --store STORE [flags]",
		Short: "Watch an election live: who leads, and who comes and goes",
		Long: `watch shows every change of an election as it happens, until it is interrupted. It
takes no part: it writes nothing and is not listed.

On a terminal it shows a table that is redrawn: the leader with its lease running
down, the candidates by rank, and the last events; q ends it. Elsewhere, and with
--output or --tui=false, it prints a line for each change: the time, the leader,
the term, the ballot, the event and its reason, as in

  ... leader=b term=2 ballot=7 event=elected reason=expiry

Of the seat it tells elected, vacant, accepted, silent (no renewal for a whole
lease) and renewed, asked and withdrawn, config, and reset where the records are of
another past. Of candidates it tells joined, restarted, changed, quiet (no heartbeat
for the candidate timeout), heard and left. It begins with the seat (looking) and the
candidates (present) as they are. A store that goes away is tried until it comes
back: trouble, then well. No tenure between two looks is left out as long as the
history has it. Silence is judged by the clock here, of what was seen here.

With --output json each line is a JSON object, with yaml a document.

--until REGEXP ends with the first line that matches. --until leader ends once a leader
was seen to write: to take the leadership, or to renew it. A record that a dead leader has
left behind does not count, so it takes up to a heartbeat. "status --check" answers at
once, by the clocks. --for ends after a time, with exit code 5 if --until was waited for.`,
		Example: `  fdbelect watch --store file:/tmp/demo.db
  fdbelect watch --store file:/tmp/demo.db --output json
  fdbelect watch --store file:/tmp/demo.db --until leader --for 10s
  fdbelect watch --store file:/tmp/demo.db --tui=false --until 'event=vacant'`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			given := cmd.Flags().Changed
			if err := f.check(given("for"), given("until")); err != nil {
				return exit.Usage(err)
			}
			terminal := terminal.IsTerminal(a.Stdout)
			switch {
			case given("tui") && f.tui && given("output"):
				return exit.Usage(errors.New("--tui draws a table; leave --output away"))
			case given("tui") && f.tui && !terminal:
				return exit.Usage(errors.New("--tui needs a terminal on stdout, and TERM to say of which kind"))
			case !given("tui"):
				f.tui = terminal && !given("output")
			}
			return runWatch(cmd.Context(), a, &f)
		},
	}
	f.AddFlags(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.tui, "tui", false, "draw a table (default: on a terminal, without --output)")
	flags.StringVar(&f.until, "until", "", "end with the first line that matches this regular expression, or \"leader\"")
	flags.DurationVar(&f.limit, "for", 0, "how long to watch (default: until interrupted)")
	return cmd
}

func (f *watchFlags) check(limited, until bool) error {
	if limited && f.limit <= 0 {
		return fmt.Errorf("--for is %s; it has to be above zero", f.limit)
	}
	if until && f.until == "" {
		return errors.New("--until is empty; name a regular expression, or \"leader\"")
	}
	if f.until == "" || f.until == "leader" {
		return nil
	}
	var err error
	if f.done, err = regexp.Compile(f.until); err != nil {
		return fmt.Errorf("--until: %w", err)
	}
	return nil
}

// viewer shows what a watch finds.
type viewer interface {
	// show takes an update in.
	show(u *update) error
	// tick returns what tells when to call draw; nil: never.
	tick() <-chan struct{}
	draw() error
	// quit returns what tells that the reader has had enough; nil: never.
	quit() <-chan struct{}
	// close leaves the terminal as it was.
	close()
}

// watch looks on until ctx ends, the time is over, or what is waited for has
// come.
func runWatch(ctx context.Context, a *session.Program, f *watchFlags) error {
	s, err := a.OpenElection(ctx, &f.Access, true)
	if err != nil {
		return err
	}
	if f.Spec == "mem:" {
		fmt.Fprintln(a.Stderr, "fdbelect: mem: is this process's own memory: there is nothing to see in it")
	}
	ctx, stop := context.WithCancel(ctx)
	over := make(chan struct{})
	if f.limit > 0 {
		timer := a.Clock.AfterFunc(f.limit, func() { close(over) })
		defer timer.Stop()
	}
	updates := make(chan update)
	w := &watcher{Program: a, access: &f.Access, open: s}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.run(ctx, updates)
	}()
	defer func() {
		stop()
		<-ended
	}()

	v := newViewer(a, f)
	defer v.close()
	for {
		select {
		case u, ok := <-updates:
			if !ok {
				return nil
			}
			reached := f.reached(&u)
			if err := v.show(&u); err != nil || reached {
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

// reached reports whether what --until waits for has come. It takes from the update the
// lines after the one that matches.
func (f *watchFlags) reached(u *update) bool {
	if f.until == "leader" {
		return u.sight != nil && f.life.shown(u.sight.Leader, u.seen)
	}
	i := slices.IndexFunc(u.news, func(n news) bool { return f.done != nil && f.done.MatchString(n.line()) })
	if i >= 0 {
		u.news = u.news[:i+1]
	}
	return i >= 0
}

// life is what was seen last of a leader record: one that changes between two looks was
// written by a leader that is alive, and no clock of its host is asked.
type life struct {
	seat election.LeaderRecord
	seen time.Time // monotonic; zero before the first look
}

// shown takes in a look, which returned at seen. It reports whether a leader has written
// within its lease: since the look before, if that is not older.
func (l *life) shown(seat election.LeaderRecord, seen time.Time) bool {
	before := *l
	*l = life{seat, seen}
	recent := max(seat.LeaseDuration, 2*minLookInterval)
	return !before.seen.IsZero() && seen.Sub(before.seen) < recent &&
		!seat.Vacant() && seat.Accepted && seat.Ballot > before.seat.Ballot
}
