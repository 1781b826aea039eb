package elector

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// StopAndHandOver is Stop for a process that knows its successor, such as the process of
// the next release on the same host. If this process leads, it hands leadership over to the
// successor after its work has stopped, instead of resigning. Leadership is never vacant.
// The successor leads with its first renewal, which it begins when its watch fires. If it
// dies before that, others may claim after a short lease (fdbelection.Config.AcceptanceLease).
// A process that does not lead only leaves.
//
// to is the id of the successor. If it ends with *, the successor is the newest candidate
// whose id begins with the text before the *. The successor must be a registered voter. One
// that has sent no heartbeat for the candidate timeout is left out.
//
// The hand-over is part of the transaction that unregisters. If there is no such successor,
// that transaction resigns, and StopAndHandOver returns a *HandOverError. Apart from that it
// does what Stop does, with the same limits.
//
// It works beside Start, Run, RunCallbacks and Campaign. Do not end their context before,
// because that leaves without a successor. If the elector is leaving already, the successor
// still counts while the work has not returned. Only the first one counts.
func (e *Elector) StopAndHandOver(ctx context.Context, to string) error {
	e.mu.Lock()
	s := e.session
	nonce, err := uuid.NewRandomFromReader(e.random)
	e.mu.Unlock()
	if s == nil {
		return nil
	}
	if err != nil { // it leaves all the same
		return errors.Join(&HandOverError{To: to, Err: err}, e.Stop(ctx))
	}
	return s.stop(ctx, machine.Leave{Succession: machine.Succession{To: to, Nonce: nonce}})
}

// HandOverError reports that StopAndHandOver has resigned instead of handing over. If
// leadership was neither handed over nor resigned, the error is a *LeaveError.
//
// It matches why: fdbelection.ErrProcessNotFound if there is no such candidate,
// fdbelection.ErrNotVoting if it is an observer, fdbelection.ErrNotReady,
// fdbelection.ErrInvalidCandidate if the id is not valid or that of this process,
// fdbelection.ErrElectionDisabled, fdbelection.ErrNotLeader if leadership was lost meanwhile,
// or an error of the store.
type HandOverError struct {
	// To is the successor as it was named.
	To string
	// Err is why it was not handed leadership.
	Err error
}

// Error names the successor and the problem.
func (e *HandOverError) Error() string {
	return fmt.Sprintf("could not hand over to %s: %v", election.SafeText(e.To), e.Err)
}

// Unwrap returns Err.
func (e *HandOverError) Unwrap() error { return e.Err }
