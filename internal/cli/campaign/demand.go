package campaign

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// demand is what the leader was asked for, and obeys: first the work stops,
// while the lease is still renewed, then the seat is given up.
type demand struct {
	intent   election.Intent
	disabled bool      // nobody asked: the election is disabled
	until    time.Time // the work is ended by force then
}

// drains reports whether the lease is not renewed meanwhile.
func (d *demand) drains() bool { return d != nil && d.disabled }

func (d *demand) String() string {
	switch {
	case d.disabled:
		return "the election is disabled"
	case d.intent.Kind == election.IntentChallenge:
		return fmt.Sprintf("challenged by %s of priority %d", d.intent.Identity, d.intent.Priority)
	case d.intent.Kind == election.IntentTransfer:
		return "asked to hand over to " + d.intent.Identity.String()
	default:
		return "asked to resign"
	}
}

// grantable reports whether what is asked of the leader can be granted: a
// challenger or a successor that is gone, has restarted, is an observer or does
// not outrank the leader is no reason to stop work. It reads nothing where
// nothing is asked.
func grantable(e *election.LeaderElection, tr kv.ReadTransaction, result *election.CycleResult, now time.Time) (bool, error) {
	switch result.Intent.Kind {
	case election.IntentResign:
		return true, nil
	case election.IntentChallenge, election.IntentTransfer:
	default:
		return false, nil
	}
	author, err := e.GetCandidate(tr, result.Intent.ID)
	switch {
	case errors.Is(err, fdbelection.ErrProcessNotFound):
		return false, nil
	case err != nil:
		return false, err
	case author.Identity != result.Intent.Identity, author.Role != election.Voter:
		return false, nil
	case result.Intent.Kind == election.IntentTransfer:
		return true, nil
	}
	protected := result.Config.MinimumTenure
	if result.Leader.Origin == election.OriginTransfer {
		protected = max(protected, result.Leader.LeaseDuration)
	}
	return result.Config.AllowPreemption && author.Priority > result.Leader.Priority &&
		now.Sub(result.Leader.AcquiredAt) >= protected, nil
}

// obey has the work stop for the first demand; later ones find it stopping.
func (l *loop) obey(d *demand, patience time.Duration) {
	if l.demand != nil {
		return
	}
	d.until = l.Clock.Now().Add(patience)
	l.demand = d
	l.stopWork(d.String(), d.until)
}

// patience is how long the work may take to stop for an intent. A challenger
// waits for the grace of the config, an operator for the drain time.
func (l *loop) patience(intent election.Intent) time.Duration {
	if intent.Kind == election.IntentChallenge {
		return l.config.PreemptionGrace
	}
	return l.Drain
}

// handover is how a seat is given up whose work has returned. All that names it
// is fixed here, outside of any transaction, so that it can be run again.
type handover struct {
	token  election.Token
	intent election.Intent // none: the seat is vacated
	by     time.Time       // given up then: the lease has run out
}

// handOver begins to give up the seat of a tenure that is over here. Past its
// time a demand is met by vacating the seat.
func (l *loop) handOver(token election.Token, d *demand) {
	now := l.Clock.Now()
	h := &handover{token: token, intent: d.intent, by: now.Add(l.config.LeaseDuration)}
	if d.intent.Kind == election.IntentChallenge && !now.Before(d.until) {
		h.intent.Kind = election.IntentResign
	}
	if h.intent.Kind == election.IntentResign { // and does not take the seat at once
		l.holdOff = now.Add(l.config.LeaseDuration)
	}
	l.handover = h
}

// giveUpSeat tries the hand-over until it is done, or the lease has run out.
func (l *loop) giveUpSeat(now time.Time) {
	h := l.handover
	if !now.Before(h.by) {
		l.handover = nil
		l.wake(now, now)
		return
	}
	l.do(h.by.Sub(now), func(ctx context.Context) func() {
		leader, err := h.run(ctx, l)
		seen := l.Clock.Now()
		return func() { l.handedOver(leader, seen, err) }
	})
}

func (h *handover) run(ctx context.Context, l *loop) (leader election.Leader, err error) {
	e := l.election
	err = l.db.Transact(ctx, func(tr kv.Transaction) (err error) {
		now := l.Clock.Now()
		switch h.intent.Kind {
		case election.IntentChallenge, election.IntentTransfer:
			leader, _, err = e.Yield(tr, h.token, h.intent, now)
			return err
		default:
			if err := e.ResignLeadership(tr, h.token, now); err != nil {
				return err
			}
			leader, err = e.GetLeaderRaw(tr)
			return err
		}
	})
	return leader, err
}

// handedOver takes in the answer. A seat that turns out to be another's is
// given up as well; where the successor died meanwhile it stays, and is claimed
// anew.
func (l *loop) handedOver(leader election.Leader, seen time.Time, err error) {
	switch {
	case err == nil:
		l.saw(leader, seen)
	case errors.Is(err, fdbelection.ErrNotLeader):
	default:
		l.unsettled = l.unsettled || kv.OutcomeOf(err) == kv.Unsettled
		l.failed("give up the seat", err)
		return
	}
	l.succeeded()
	l.handover = nil
	l.lookNow = true
}
