package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// requestFlags are those of the subcommands that ask something of the leader.
type requestFlags struct {
	session.Report
	patience      time.Duration
	term          uint64
	keep, replace bool
}

// requestTimeout leaves a leader the time to finish its work.
const requestTimeout = time.Minute

func (f *requestFlags) addFlags(cmd *cobra.Command) {
	f.Place.AddFlags(cmd)
	flags := cmd.Flags()
	flags.DurationVar(&f.patience, "timeout", requestTimeout, "how long to wait until it is done")
	flags.Uint64Var(&f.term, "term", 0, "the term that the request is for (default: the current one)")
	flags.BoolVar(&f.keep, "keep", false, "leave the request pending if it was not done in time")
	flags.BoolVar(&f.replace, "replace", false, "replace a request of another operator")
	f.Output.AddFlag(cmd)
}

// check says what is wrong with the flags.
func (f *requestFlags) check(cmd *cobra.Command) error {
	if cmd.Flags().Changed("term") && f.term == 0 {
		return exit.Usage(errors.New("--term is 0; terms begin with 1, and \"fdbelect status\" shows the current one"))
	}
	return nil
}

// request is one that was sent to the leader of one term.
type request struct {
	*session.Session
	flags   *requestFlags
	waiting string // what it waits for, as a terminal shows it
	seat    election.LeaderRecord
	nonce   uuid.UUID // zero: nothing was asked
	since   time.Time
}

// enter is that of the app. The store has its time, however short the wait is:
// a request whose fate is not known is worse than one that took a little longer.
func (f *requestFlags) enter(ctx context.Context, a *session.Program) (*session.Session, error) {
	if f.Timeout = f.patience; f.Timeout > 0 {
		f.Timeout = session.DefaultTimeout
	}
	return a.OpenElection(ctx, &f.Access, true)
}

// newRequest is about the leadership that was seen, and what is asked of its holder, such as
// "to step down".
func newRequest(s *session.Session, f *requestFlags, seat election.LeaderRecord, what string) (*request, error) {
	nonce, err := s.Program.NewNonce()
	waiting := fmt.Sprintf("asked %s %s in term %d, waiting", seat.Identity, what, seat.Term)
	return &request{Session: s, flags: f, waiting: waiting, seat: seat, nonce: nonce, since: s.Program.Clock.Now()}, err
}

// overAlready says, of a request about a term that was named, that there is
// nothing to ask any more, or why nothing can be asked.
func (f *requestFlags) overAlready(seat election.LeaderRecord) (bool, error) {
	switch {
	case f.term != 0 && (f.term < seat.Term || f.term == seat.Term && seat.Vacant()):
		return true, nil
	case f.term > seat.Term:
		return false, fmt.Errorf("%w: term %d has not begun, the newest is %d; see \"fdbelect status\"", fdbelection.ErrNotLeader, f.term, seat.Term)
	case seat.Vacant():
		return false, fmt.Errorf("%w: no candidate leads, the leadership is vacant", fdbelection.ErrNotLeader)
	}
	return false, nil
}

// send writes the request. If two operators ask about the same term, one succeeds and the
// other gets an error, unless it says --replace.
func (r *request) send(ctx context.Context, write func(tr kv.Transaction) error) error {
	_, err := session.Transact(ctx, r.Session, func(tr kv.Transaction) (none struct{}, err error) {
		if r.flags.replace {
			other, err := r.Election.ReadRequest(tr)
			if err != nil {
				return none, err
			}
			if other.Nonce != r.nonce { // of a challenge this leaves everything as it is
				if err := r.Election.CancelRequest(tr, other.Nonce); err != nil {
					return none, err
				}
			}
		}
		return none, write(tr)
	})
	if errors.Is(err, fdbelection.ErrRequestPending) {
		return fmt.Errorf("%w; or wait until it is done, or replace it with --replace", err)
	}
	return err
}

// wait waits until done is content. A request that stands no more although the
// tenure goes on was withdrawn, or found void by the leader.
func (r *request) wait(ctx context.Context, done func(election.Status) (bool, error)) (last election.Status, err error) {
	err = waitFor(ctx, r.Session, r.flags.patience, r.waiting, func(state election.Status) (bool, error) {
		last = state
		if over, err := done(state); over || err != nil {
			return over, err
		}
		if sameTenure(state.Leader, r.seat) && state.Request.Nonce != r.nonce {
			return false, fmt.Errorf("%w, and %s still leads: another operator has cancelled or replaced it, or the leader found it void", errVoid, r.seat.Identity)
		}
		return false, nil
	})
	return last, err
}

// withdraw takes the request back after a wait that was in vain, unless it is
// to be kept, and returns how things stand since. What it says of the request
// ends a sentence.
func (r *request) withdraw(ctx context.Context) (election.Status, string) {
	// What asked for the end of the wait must not keep the request standing.
	ctx = context.WithoutCancel(ctx)
	stands, err := session.Transact(ctx, r.Session, func(tr kv.Transaction) (election.Status, error) {
		if !r.flags.keep {
			if err := r.Election.CancelRequest(tr, r.nonce); err != nil {
				return election.Status{}, err
			}
		}
		return r.Election.ReadStatus(tr)
	})
	switch {
	case err != nil:
		return stands, fmt.Sprintf("the request may still be pending, because it could not be withdrawn (%v)", err)
	case r.flags.keep && stands.Request.Nonce == r.nonce:
		return stands, "the request is pending, and ends with this term"
	default:
		return stands, "the request is withdrawn, but the leader may finish what it has begun"
	}
}

// unfinished reports whether a wait ended in a way that leaves the request standing.
func unfinished(err error) bool {
	return err != nil && !errors.Is(err, errVoid) && !errors.Is(err, fdbelection.ErrNotLeader)
}

// broken is the error of a wait that did not come to its end: before says what it
// was interrupted in front of, fate what has become of the request.
func broken(err error, before, fate string) error {
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("interrupted before %s; %s", before, fate)
	case unfinished(err):
		return fmt.Errorf("%w; %s", err, fate)
	default:
		return err
	}
}

// errVoid: the leader will not do what the request asks.
var errVoid = errors.New("the request is gone")

// steered is what became of a tenure that was to end.
type steered struct {
	Changed  bool             `json:"changed"`
	From     *output.Identity `json:"from"` // which led
	FromTerm uint64           `json:"from_term"`
	// Reason is why that term ended, by the history; empty if that does not tell.
	Reason string           `json:"reason"`
	Leader *output.Identity `json:"leader"` // that stands by now
	Term   uint64           `json:"term"`
	Ballot uint64           `json:"ballot"`
	Waited output.Duration  `json:"waited_seconds"`
}

// steeredTo is what became of a tenure, with the leader that stands by now.
func steeredTo(from election.Identity, term uint64, now election.LeaderRecord) steered {
	return steered{From: output.IdentityOf(from), FromTerm: term, Leader: output.IdentityOf(now.Identity), Term: now.Term, Ballot: now.Ballot}
}
