package elector

import (
	"context"
	"log/slog"
	"strings"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/machine"
)

func (s *session) log() *slog.Logger { return s.elector.logger }

// named returns a logger whose records name the election and the candidate.
func named(logger *slog.Logger, e *election.LeaderElection, id string) *slog.Logger {
	space, node := names(e, id)
	return logger.With("election", space, "node", node)
}

// names returns the names of an election and a candidate, safe for a terminal.
func names(e *election.LeaderElection, id string) (space, node string) {
	space = strings.TrimPrefix(e.Subspace().String(), "subspace ")
	return election.SafeText(space), election.SafeText(id)
}

// safe returns ids that are safe for a terminal.
func safe(ids []string) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = election.SafeText(id)
	}
	return texts
}

// logOperation logs the end of an operation at the debug level.
func (s *session) logOperation(op *machine.Operation, event machine.Event) {
	if !s.log().Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	var err error
	switch e := event.(type) {
	case machine.Answered:
		err = e.Answer.Err
	case machine.WatchEnded:
		err = e.Err
	}
	fields := []any{"kind", op.Kind.String(), "op", op.ID}
	if err != nil {
		fields = append(fields, "error", loop.LineError{Err: err})
	}
	s.log().Debug("operation", fields...)
}
