package campaign

import (
	"context"
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// This file holds the operations but for the cycle. Each runs in a goroutine
// of its own, touches nothing of the loop that changes, and returns what the
// loop does with its answer.

// register makes the election where it is not there, and enters the candidate.
func (l *loop) register(ctx context.Context) func() {
	enter := l.election.RegisterCandidate
	if l.joined { // evicted: a newer process of the same name goes first
		enter = l.election.RejoinCandidate
	}
	config, err := kv.Transact(ctx, l.db, func(tr kv.Transaction) (fdbelection.Config, error) {
		config, err := l.election.InitializeWithConfig(tr, l.Config)
		if err != nil {
			return config, err
		}
		return config, enter(tr, l.Me, l.Clock.Now())
	})
	return func() {
		l.present = l.present || kv.OutcomeOf(err) != kv.Absent
		if err != nil {
			l.failed("register "+l.Me.Identity.String(), err)
			return
		}
		l.succeeded()
		l.registered, l.config = true, config
		l.beatAt, l.lookNow = l.Clock.Now().Add(config.CandidateTimeout/3), true
		if !l.joined {
			l.joined = true
			l.watchTerm() // until the end of the campaign
			l.Joined(config)
		}
	}
}

// look reads the seat.
func (l *loop) look(ctx context.Context) func() {
	leader, err := kv.ReadTransact(ctx, l.db, l.election.GetLeaderRaw)
	seen := l.Clock.Now()
	return func() {
		if err != nil {
			l.failed("read the leader", err)
			return
		}
		l.succeeded()
		l.saw(leader, seen)
		l.checkSeat()
	}
}

// beat says that the candidate is alive, and nothing about the seat.
func (l *loop) beat(ctx context.Context) func() {
	err := l.db.Transact(ctx, func(tr kv.Transaction) error {
		return l.election.HeartbeatCandidate(tr, l.Me, l.Clock.Now())
	})
	return func() { l.heartbeatDone("heartbeat", err) }
}

// heartbeatDone takes in the answer to a heartbeat, or to a cycle, which holds
// one.
func (l *loop) heartbeatDone(what string, err error) {
	if errors.Is(err, fdbelection.ErrUnregisteredCandidate) {
		l.registered, err = false, nil // evicted: register again
	}
	if err != nil {
		l.failed(what, err)
		return
	}
	l.succeeded()
	l.beatAt = l.Clock.Now().Add(l.config.CandidateTimeout / 3)
}

// settle ends the uncertainty after an unsettled attempt: what it reads is
// concluded from only once it has committed.
func (l *loop) settle(ctx context.Context) func() {
	leader, err := kv.Transact(ctx, l.db, l.election.Settle)
	seen := l.Clock.Now()
	return func() {
		if err != nil {
			l.failed("settle what an earlier attempt did", err)
			return
		}
		l.succeeded()
		l.unsettled = false
		l.saw(leader, seen)
	}
}

// unregister gives up the seat and the candidate record in one transaction.
func (l *loop) unregister(ctx context.Context) func() {
	var leader election.Leader
	var unread error // of no consequence: it is only to be told
	err := l.db.Transact(ctx, func(tr kv.Transaction) error {
		err := l.election.UnregisterCandidate(tr, l.Me.Identity, l.Clock.Now())
		leader, unread = l.election.GetLeaderRaw(tr)
		return err
	})
	seen := l.Clock.Now()
	return func() {
		switch {
		case err == nil:
			l.finished = true
			if unread == nil {
				l.saw(leader, seen)
			}
		case !l.Clock.Now().Before(l.leaveBy), errors.Is(err, fdbelection.ErrInvalidState), l.Permanent(err):
			l.finished = true
			l.result = errors.Join(l.result, &LeaveError{Err: err})
		default:
			l.failed("leave", err)
		}
	}
}

// LeaveError says that the candidate could not be unregistered: its record
// stays, and its seat is free once the lease is over.
type LeaveError struct {
	Err error
}

// Error says what stays behind, and why.
func (e *LeaveError) Error() string {
	return "left without being able to say so (a seat it held is free after its lease): " + e.Err.Error()
}

// Unwrap returns what the last try failed with.
func (e *LeaveError) Unwrap() error { return e.Err }
