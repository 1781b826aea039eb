package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// checkSuccessor checks --hand-over-to.
func (f *runFlags) checkSuccessor() error {
	switch err := (election.Identity{ID: f.handOverTo}).Validate(); {
	case f.handOverTo == "":
		return nil
	case err != nil:
		return exit.Usage(fmt.Errorf("%s: %w", f.Named("hand-over-to"), err))
	case f.handOverTo == f.id:
		return exit.Usage(fmt.Errorf("%s names this candidate itself; give the process that replaces it an id of its own, such as --id \"$(hostname)/$$\", and hand over to \"$(hostname)/*\"",
			f.Named("hand-over-to")))
	}
	return nil
}

// handOverAtEnd returns a context for the elector that ends after ctx. When ctx ends, the
// elector leaves and hands over to a successor. Without one, the elector gets ctx itself.
func handOverAtEnd(ctx context.Context, el *elector.Elector, to string) (run context.Context, done func()) {
	if to == "" {
		return ctx, func() {}
	}
	run, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := whenDone(ctx, func() {
		_ = el.StopAndHandOver(run, to) // Run returns the same error
		cancel(context.Cause(ctx))      // if the elector had not started
	})
	return run, func() {
		stop()
		cancel(nil)
	}
}

// withoutRefusal logs that leadership was not handed over, and returns the other errors of
// an elector. run has resigned then, and has left in order. If there is no such candidate,
// that is nothing unusual: this process was perhaps not to be replaced.
func withoutRefusal(log *slog.Logger, err error) error {
	refused, ok := errors.AsType[*elector.HandOverError](err)
	if !ok {
		return err
	}
	level := slog.LevelWarn
	if errors.Is(refused, fdbelection.ErrProcessNotFound) {
		level = slog.LevelInfo
	}
	log.Log(context.Background(), level, "resigned instead of handing over", "to", refused.To, "error", refused.Err)
	return nil
}
