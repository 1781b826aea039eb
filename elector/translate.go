package elector

import (
	"errors"

	"github.com/fdbelection/fdbelection/internal/machine"
)

// The state machine has types of its own, so that no internal package is part of this
// package's interface. The functions in this file translate them. Reasons have the same
// texts in both packages.

func stateOf(s machine.State) State {
	switch s {
	case machine.StateCandidate:
		return StateCandidate
	case machine.StateFollower:
		return StateFollower
	case machine.StateLeader:
		return StateLeader
	case machine.StateJeopardy:
		return StateJeopardy
	case machine.StateObserver:
		return StateObserver
	case machine.StateStopped:
	}
	return StateStopped
}

func transitionOf(t machine.Transition) Transition {
	return Transition{
		From: stateOf(t.From), To: stateOf(t.To),
		Term: t.Term, Reason: Reason(t.Reason), Leader: t.Leader, At: t.At,
	}
}

// resultOf returns the result of a machine with the errors of this package. If the machine
// could not leave or hand over, its result joins that with why it had stopped.
func resultOf(result error) error {
	switch err := result.(type) { //nolint:errorlint // of the machine itself
	case *machine.LeaveError:
		return &LeaveError{Err: err.Err}
	case *machine.HandOverError:
		return &HandOverError{To: err.To, Err: err.Err}
	}
	_, stays := errors.AsType[*machine.LeaveError](result)
	_, resigned := errors.AsType[*machine.HandOverError](result)
	joined, ok := result.(interface{ Unwrap() []error })
	if !ok || !stays && !resigned {
		return result
	}
	parts := joined.Unwrap()
	translated := make([]error, len(parts))
	for i, part := range parts {
		translated[i] = resultOf(part)
	}
	return errors.Join(translated...)
}
