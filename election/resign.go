package election

import (
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
)

// ResignLeadership gives up exactly the tenure of token. Call it only after the work under
// it has ended. It also works in a disabled election. If that tenure has ended already, it
// does nothing and returns nil, so it can be run again until it has committed.
//
// Errors: ErrNotLeader (the leader record has another tenure under this or a lower term),
// ErrInvalidState.
func (e *LeaderElection) ResignLeadership(tr kv.Transaction, token Token, now time.Time) error {
	reads := e.beginReads(tr)
	v, err := reads.await()
	switch {
	case err != nil:
		return err
	case v.unreadable.leader != nil:
		return v.unreadable.leader
	case v.leader.in(token):
		if err := record.ConflictOn(tr, e.keys.candidate(token.ID)); err != nil {
			return err
		}
		_, err = e.vacate(tr, &v, "resigned", now)
		return err
	case v.leader.Term > token.Term, v.leader.vacatedBy(token):
		return nil
	default:
		return notLeader(token, v.leader)
	}
}

// ForceResign ends exactly the tenure of token without the consent of its holder. It is for
// an operator who knows that the holder is dead. If ballot is not zero, it does so only
// while that ballot stands, so a holder that has renewed since keeps leadership.
//
// Fenced writes of the holder are refused after the commit. A holder that is alive may lead
// until its own lease ends, beside its successor. Prefer RequestResign. If that tenure has
// ended already, ForceResign does nothing and returns nil, so it can be run again until it
// has committed.
//
// Errors: ErrLeaderRenewed, ErrNotLeader (the leader record has another tenure under this or
// a lower term), ErrInvalidState.
func (e *LeaderElection) ForceResign(tr kv.Transaction, token Token, ballot uint64, now time.Time) error {
	reads := e.beginReads(tr)
	v, err := reads.await()
	switch {
	case err != nil:
		return err
	case v.unreadable.leader != nil:
		return v.unreadable.leader
	case v.leader.Term > token.Term, v.leader.vacatedBy(token):
		return nil
	case !v.leader.in(token):
		return notLeader(token, v.leader)
	case ballot != 0 && v.leader.Ballot != ballot:
		return fmt.Errorf("%w: the ballot is %d, and was %d", fdbelection.ErrLeaderRenewed, v.leader.Ballot, ballot)
	}
	_, err = e.vacate(tr, &v, "deposed by an operator", now)
	return err
}

func notLeader(token Token, leader LeaderRecord) error {
	return fmt.Errorf("%w in %s: the leader record is %s", fdbelection.ErrNotLeader, token, leader)
}
