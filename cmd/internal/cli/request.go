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

// requestFlags are the flags of the subcommands that make a request to the leader.
type requestFlags struct {
	session.Report
	patience      time.Duration
	term          uint64
	keep, replace bool
}

// requestTimeout gives a leader time to finish its work.
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

// check returns what is wrong with the flags.
func (f *requestFlags) check(cmd *cobra.Command) error {
	if cmd.Flags().Changed("term") && f.term == 0 {
		return exit.Usage(errors.New("--term is 0; terms begin with 1, and \"fdbelect status\" shows the current one"))
	}
	return nil
}

// request is a request to the leader of one term.
type request struct {
	*session.Session
	flags   *requestFlags
	waiting string // the text of the progress bar
	leader  election.LeaderRecord
	nonce   uuid.UUID // zero if no request was made
	since   time.Time
}

func (f *requestFlags) enter(ctx context.Context, a *session.Program) (*session.Session, error) {
	return openPatiently(ctx, a, &f.Access, f.patience)
}

// openPatiently opens the store for a request. The store has its usual time, however short the
// wait for the leader is: a request with an unknown result is worse than a slow one.
func openPatiently(ctx context.Context, p *session.Program, x *session.Access, patience time.Duration) (*session.Session, error) {
	if x.Timeout = patience; x.Timeout > 0 {
		x.Timeout = session.DefaultTimeout
	}
	return p.OpenNamed(ctx, x)
}

// newRequest returns a request to the leader that was read. what says what is asked for,
// such as "to step down".
func newRequest(s *session.Session, f *requestFlags, leader election.LeaderRecord, what string) (*request, error) {
	nonce, err := s.Program.NewNonce()
	waiting := fmt.Sprintf("asked %s %s in term %d, waiting", leader.Identity, what, leader.Term)
	return &request{Session: s, flags: f, waiting: waiting, leader: leader, nonce: nonce, since: s.Program.Clock.Now()}, err
}

// overAlready reports whether the term that --term names has ended. It returns an error if
// no request is possible.
func (f *requestFlags) overAlready(leader election.LeaderRecord) (bool, error) {
	switch {
	case f.term != 0 && (f.term < leader.Term || f.term == leader.Term && leader.Vacant()):
		return true, nil
	case f.term > leader.Term:
		return false, fmt.Errorf("%w: term %d has not begun, the newest is %d; see \"fdbelect status\"", fdbelection.ErrNotLeader, f.term, leader.Term)
	case leader.Vacant():
		return false, fmt.Errorf("%w: no candidate leads, the leadership is vacant", fdbelection.ErrNotLeader)
	}
	return false, nil
}

// send writes the request. If two operators make a request for the same term, one succeeds
// and the other gets an error, unless it says --replace.
func (r *request) send(ctx context.Context, write func(tr kv.Transaction) error) error {
	_, err := session.Transact(ctx, r.Session, func(tr kv.Transaction) (none struct{}, err error) {
		if r.flags.replace {
			other, err := r.Election.ReadRequest(tr)
			if err != nil {
				return none, err
			}
			if other.Nonce != r.nonce { // a preemption request is not removed
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

// wait waits until done returns true. If the request is gone although the tenure
// continues, it was cancelled, or the leader found it void.
func (r *request) wait(ctx context.Context, done func(election.Status) (bool, error)) (last election.Status, err error) {
	err = waitFor(ctx, r.Session, r.flags.patience, r.waiting, func(state election.Status) (bool, error) {
		last = state
		if over, err := done(state); over || err != nil {
			return over, err
		}
		if sameTenure(state.Leader, r.leader) && state.Request.Nonce != r.nonce {
			return false, fmt.Errorf("%w, and %s still leads: another operator has cancelled or replaced it, or the leader found it void", errVoid, r.leader.Identity)
		}
		return false, nil
	})
	return last, err
}

// withdraw withdraws the request after a wait without success, unless --keep is given. It
// returns the status after that, and what happened to the request, as the end of a
// sentence.
func (r *request) withdraw(ctx context.Context) (election.Status, string) {
	// What asked for the end of the wait must not keep the request pending.
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

// unfinished reports whether a wait ended with the request still pending.
func unfinished(err error) bool {
	return err != nil && !errors.Is(err, errVoid) && !errors.Is(err, fdbelection.ErrNotLeader)
}

// broken returns the error of an interrupted or failed wait. before says what the wait was
// for, fate what happened to the request.
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

// errVoid says that the leader will not do what the request asks for.
var errVoid = errors.New("the request is gone")

// endedTenure is the output of "resign" and "transfer".
type endedTenure struct {
	Changed  bool             `json:"changed"`
	From     *output.Identity `json:"from"` // the leader before
	FromTerm uint64           `json:"from_term"`
	// Reason is why that term ended, by the history. It may be empty.
	Reason string           `json:"reason"`
	Leader *output.Identity `json:"leader"` // the leader now
	Term   uint64           `json:"term"`
	Ballot uint64           `json:"ballot"`
	Waited output.Duration  `json:"waited_seconds"`
}

// endedTo returns the output for a tenure that has ended, with the leader now.
func endedTo(from election.Identity, term uint64, now election.LeaderRecord) endedTenure {
	return endedTenure{From: output.IdentityOf(from), FromTerm: term, Leader: output.IdentityOf(now.Identity), Term: now.Term, Ballot: now.Ballot}
}
