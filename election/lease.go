package election

import (
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// RefreshLease renews the lease of exactly the tenure of token, and returns
// the leader record that stands then; it writes no heartbeat. A first renewal
// accepts a seat that was handed over. Where the candidate record is gone it
// registers again, with the priority of the seat and without metadata, until
// the next heartbeat says more.
//
// In an election by clock a lease that is over cannot be renewed; by
// observation the caller answers for not having ended the tenure itself.
//
// Errors: ErrNotLeader, ErrElectionDisabled, ErrDuplicateID, ErrNotVoting,
// ErrNotInitialized, ErrRegistrationPending, ErrInvalidState.
func (e *LeaderElection) RefreshLease(tr kv.Transaction, token Token, now time.Time) (LeaderRecord, error) {
	v, err := e.loadFor(tr, token.Identity)
	switch {
	case err != nil:
		return LeaderRecord{}, err
	case !v.leader.in(token):
		return LeaderRecord{}, notLeader(token, v.leader)
	case v.config.Expiry == fdbelection.ExpiryByClock && v.leader.Accepted && v.leader.ExpiredAt(now):
		return LeaderRecord{}, fmt.Errorf("%w any more: the lease of %s is over; claim again", fdbelection.ErrNotLeader, token)
	case v.own != nil && v.own.Role != Voter:
		return LeaderRecord{}, fdbelection.ErrNotVoting
	case !v.config.ElectionEnabled:
		return LeaderRecord{}, fdbelection.ErrElectionDisabled
	}
	priority := v.leader.Priority
	switch {
	case v.own != nil:
		priority = v.own.Priority
	case v.unreadable.own == nil:
		again := Registration{Identity: token.Identity, Priority: priority}
		if err := e.heartbeat(tr, nil, again, now, nil); err != nil {
			return LeaderRecord{}, err
		}
	}
	next := v.renewal(priority, now)
	err = e.writeRenewal(tr, &v, &next)
	return next, err
}

// ResignLeadership gives up exactly the tenure of token; send it only after
// the work under it has ended. It is allowed where the election is disabled.
// Where that tenure has ended already, because the seat is vacant or held in a
// later term, it does nothing and returns nil, so that it can be run again
// until it has committed.
//
// Errors: ErrNotLeader (another tenure stands under this or a lower term),
// ErrInvalidState.
func (e *LeaderElection) ResignLeadership(tr kv.Transaction, token Token, now time.Time) error {
	load := e.begin(tr)
	v, err := load.await()
	switch {
	case err != nil:
		return err
	case v.unreadable.leader != nil:
		return v.unreadable.leader
	case v.leader.in(token):
		if err := conflictOn(tr, e.keys.candidate(token.ID)); err != nil {
			return err
		}
		_, err = e.vacate(tr, &v, "resigned", now)
		return err
	case v.leader.Term > token.Term:
		return nil
	case v.leader.vacatedBy(token):
		return nil
	default:
		return notLeader(token, v.leader)
	}
}

func notLeader(token Token, leader LeaderRecord) error {
	return fmt.Errorf("%w in %s: the seat is %s", fdbelection.ErrNotLeader, token, leader)
}

// Settle ends the uncertainty that an unsettled commit leaves (kv.Unsettled):
// nothing may be concluded from what it returns until its transaction has
// committed, and then everything. It reads and write-conflicts on the leader
// record, so a late claim, renewal, resignation or transfer either is seen by
// it or can never arrive. Its commit makes a renewal that runs at the same time
// retry once. Errors: ErrInvalidState.
func (e *LeaderElection) Settle(tr kv.Transaction) (LeaderRecord, error) {
	value, err := tr.Get(e.keys.leader).Get()
	if err != nil {
		return LeaderRecord{}, err
	}
	leader, err := decodeLeader(e.keys.leader, value)
	if err != nil {
		return LeaderRecord{}, err
	}
	return leader, tr.AddWriteConflictKey(e.keys.leader)
}
