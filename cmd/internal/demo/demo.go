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

func Command(a *session.Program) *cobra.Command {
	var speed float64
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch five candidates elect a leader, lose it and go on (15 s)",
		Long: `demo runs five candidates on a database in the memory of this process, with the
same loop that "run" uses: an election, renewals, a preemption, a crash and the
take-over, a stale leader whose write is refused, a clean hand-over.

Each chapter checks in the database what it tells. demo exits with 0 only if
all of it happened. On a terminal it draws a lane for each candidate below the
account, and the lease as it runs down.`,
		Example: `  fdbelect demo`,
		Args:    session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !(speed > 0 && speed <= 1000) {
				return exit.Usage(fmt.Errorf("--speed is %v; use a number above 0, up to 1000", speed))
			}
			return runDemo(cmd.Context(), a, speed)
		},
	}
	cmd.Flags().Float64Var(&speed, "speed", 1, "how many times as fast the story runs")
	cmd.Flags().MarkHidden("speed") //nolint:errcheck // the flag is there
	return cmd
}

// demo tells the story, and fails where a chapter does not come true.
func runDemo(ctx context.Context, a *session.Program, speed float64) error {
	c := a.Clock
	if speed != 1 {
		c = faster(c, speed)
	}
	out := &output.FirstError{Writer: a.Stdout}
	n := &narrator{out: out, Palette: terminal.PaletteFor(a.Stdout), clock: c, start: c.Now()}
	if terminal.IsTerminal(a.Stdout) {
		n.live = newLanes(a.Stdout, c, n.Palette, terminal.SizeOf(a.Stdout))
		n.out = n.live
	}
	return cmp.Or(tellStory(ctx, n), out.Err)
}

// tellStory runs the chapters one after the other.
func tellStory(ctx context.Context, n *narrator) error {
	s := newStage(ctx, n.clock, n)
	defer s.close()
	s.title()
	if n.live != nil {
		n.live.follow(s)
		defer func() { n.live.stop() }()
	}
	for number, chapter := range chapters {
		s.chapter(number+1, chapter.title)
		if err := chapter.tell(s); err != nil {
			if ctx.Err() != nil {
				return errors.New("the demo was interrupted")
			}
			return fmt.Errorf("chapter %d, %q, did not come true: %w", number+1, chapter.title, err)
		}
		if err := clock.Sleep(ctx, n.clock, pause); err != nil {
			return errors.New("the demo was interrupted")
		}
	}
	s.end()
	return nil
}

// pause lets a reader finish a chapter.
const pause = 1000 * time.Millisecond
