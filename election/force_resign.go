package election

import (
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// ForceResign gives up the seat of exactly the tenure of token in the stead of
// its holder, who need not agree: for an operator who knows that the holder is
// dead. With a ballot other than zero it does so only while that ballot stands,
// so that a holder which has renewed since it was looked at keeps its seat.
//
// Fenced writes of the holder are refused from the commit on. If it is alive, it
// may believe to lead until its own lease ends, beside its successor: prefer
// RequestResign. Where that tenure has ended already it does nothing and returns
// nil, so that it can be run again until it has committed.
//
// Errors: ErrLeaderRenewed, ErrNotLeader (another tenure stands under this or a
// lower term), ErrInvalidState.
func (e *LeaderElection) ForceResign(tr kv.Transaction, token Token, ballot uint64, now time.Time) error {
	load := e.begin(tr)
	v, err := load.await()
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
