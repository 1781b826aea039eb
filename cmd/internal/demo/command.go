package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// Command returns the subcommand "demo".
func Command(p *session.Program) *cobra.Command {
	var speed float64
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch five candidates elect a leader, lose it and go on (15 s)",
		Long: `demo runs five candidates on a database in the memory of this process. They use
the same loop as "run". It shows an election, renewals, a preemption, a crash and
the next leader, a stale leader whose writes are refused, and a clean hand-over.

Each chapter checks the database after every step. demo exits with 0 only if all
checks pass. On a terminal it draws a line per candidate below the text, and the
time that is left of the lease.`,
		Example: `  fdbelect demo`,
		Args:    session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), p, speed)
		},
	}
	cmd.AddCommand(groupsCommand(p, &speed))
	cmd.PersistentFlags().Float64Var(&speed, "speed", 1, "how many times as fast the demo runs")
	cmd.PersistentFlags().MarkHidden("speed") //nolint:errcheck // it fails only for an unknown flag
	return cmd
}

// groupsCommand returns the subcommand "demo groups".
func groupsCommand(p *session.Program, speed *float64) *cobra.Command {
	return &cobra.Command{
		Use:   "groups",
		Short: "Watch four members share 64 shards, die, join, drain and stop (15 s)",
		Long: `demo groups runs four members of one group on a database in the memory of this
process. It shows how 64 shards are shared, a join, a death, a stale leader whose
write is refused, a drain by an operator, and a stop.

Each chapter checks the database after every step. demo groups exits with 0 only
if all checks pass.`,
		Example: `  fdbelect demo groups`,
		Args:    session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			pr, out, err := newPrinter(p, *speed)
			if err != nil {
				return err
			}
			d := newGroupDemo(cmd.Context(), pr.clock, pr)
			defer d.close()
			d.groupTitle()
			return cmp.Or(runChapters(cmd.Context(), pr, groupChapters, d), out.Err)
		},
	}
}

// newPrinter returns a printer on the stdout of p, with a clock of a speed.
func newPrinter(p *session.Program, speed float64) (*printer, *output.FirstError, error) {
	if !(speed > 0 && speed <= 1000) {
		return nil, nil, exit.Usage(fmt.Errorf("--speed is %v; use a number above 0, up to 1000", speed))
	}
	c := p.Clock
	if speed != 1 {
		c = faster(c, speed)
	}
	out := &output.FirstError{Writer: p.Stdout}
	return &printer{out: out, Palette: terminal.PaletteFor(p.Stdout), clock: c, start: c.Now()}, out, nil
}

// runDemo runs the demo on the stdout of p. It returns an error if a check fails.
func runDemo(ctx context.Context, p *session.Program, speed float64) error {
	pr, out, err := newPrinter(p, speed)
	if err != nil {
		return err
	}
	c := pr.clock
	if terminal.IsTerminal(p.Stdout) {
		pr.lanes = newLanes(p.Stdout, c, pr.Palette, terminal.SizeOf(p.Stdout))
		pr.out = pr.lanes
	}
	return cmp.Or(runElections(ctx, pr), out.Err)
}

// runElections runs the chapters about an election.
func runElections(ctx context.Context, p *printer) error {
	d := newDemo(ctx, p.clock, p)
	defer d.close()
	d.title()
	if p.lanes != nil {
		p.lanes.follow(d)
		defer func() { p.lanes.stop() }()
	}
	return runChapters(ctx, p, chapters, d)
}

// chapterOf is a part of a demo.
type chapterOf[D any] struct {
	title string
	run   func(D) error
}

// runChapters runs the chapters in order, until one fails.
func runChapters[D any](ctx context.Context, p *printer, chapters []chapterOf[D], d D) error {
	for number, chapter := range chapters {
		p.chapter(number+1, chapter.title)
		if err := chapter.run(d); err != nil {
			if ctx.Err() != nil {
				return errors.New("the demo was interrupted")
			}
			return fmt.Errorf("chapter %d, %q, failed: %w", number+1, chapter.title, err)
		}
		if err := clock.Sleep(ctx, p.clock, pause); err != nil {
			return errors.New("the demo was interrupted")
		}
	}
	p.end()
	return nil
}

// pause is the time between two chapters, for the reader.
const pause = 1000 * time.Millisecond
