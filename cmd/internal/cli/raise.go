package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// raiseFlags are the flags of "raise-term".
type raiseFlags struct {
	session.Report
	floor uint64
	force bool
}

func (a *app) raiseTermCommand() *cobra.Command {
	var f raiseFlags
	cmd := &cobra.Command{
		Use:   "raise-term --store STORE --floor TERM [flags]",
		Short: "After a restore: make sure that no term is used again; repair a lost leader record",
		Long: `raise-term is for a database that was restored to an earlier state. Its terms went back
with it. A receiver that keeps the highest term that it has seen would refuse the next
leaders, or accept an old leader as new. A process that still runs may find its own tenure
again.

It raises the term to --floor: every tenure up to that term has ended, and the next one has
a higher term. Give a floor that no tenure before the restore has reached: the highest term
that any receiver of fenced writes or your monitoring has seen, and some more. If the term is
higher already, it stays. The command may be repeated.

Stop all processes first. docs/operations.md has the complete procedure. If leadership is
held, --force ends that tenure: its fenced writes are refused from then on, but a holder that
runs may act as the leader until its lease expires.

It also repairs a leader record that is missing or cannot be read, as long as the term record
exists. Any floor will do, and leadership is vacant afterwards.`,
		Example: `  fdbelect config disable --store file:/tmp/demo.db
  fdbelect raise-term --store file:/tmp/demo.db --floor 1000 --force
  fdbelect config enable --store file:/tmp/demo.db
  fdbelect raise-term --store file:/tmp/demo.db --floor 1 --force`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFloor(cmd, f.floor); err != nil {
				return err
			}
			return a.raiseTerm(cmd.Context(), &f)
		},
	}
	f.Report.AddFlags(cmd)
	cmd.Flags().Uint64Var(&f.floor, "floor", 0, "the next term is higher than this one (required)")
	cmd.Flags().BoolVar(&f.force, "force", false, "end the tenure of a recorded leader")
	return cmd
}

// checkFloor returns what is wrong with --floor.
func checkFloor(cmd *cobra.Command, floor uint64) error {
	switch {
	case !cmd.Flags().Changed("floor"):
		return exit.Usage(errors.New("--floor is missing: give a term that was not reached before the restore"))
	case floor == 0 || floor > election.MaxTermFloor:
		return exit.Usage(fmt.Errorf("--floor is %d; use 1 to %d", floor, uint64(election.MaxTermFloor)))
	}
	return nil
}

// raisedTerm is the output of "raise-term".
type raisedTerm struct {
	Changed    bool             `json:"changed"`
	Mended     bool             `json:"mended"` // the leader record, which was lost
	From       *output.Identity `json:"from"`   // the leader whose tenure has ended
	FromTerm   uint64           `json:"from_term"`
	FromBallot uint64           `json:"from_ballot"`
	Leader     *output.Identity `json:"leader"`
	Term       uint64           `json:"term"`
	Ballot     uint64           `json:"ballot"`
}

// raised is the leader record before and after.
type raised struct {
	before, after election.LeaderRecord
	mended        bool // before could not be read, or is what the term record says
}

func (a *app) raiseTerm(ctx context.Context, f *raiseFlags) error {
	var done *raised // by any attempt: a retry may find it done
	r, err := session.TransactOnce(ctx, a.Program, &f.Access, func(e *election.LeaderElection, tr kv.Transaction) (raised, error) {
		r, err := f.once(e, tr, a.Clock.Wall())
		if err == nil && r.after != r.before {
			done = &r
		}
		return r, err
	})
	switch {
	case errors.Is(err, fdbelection.ErrTermFloor):
		return exit.Usage(err)
	case err != nil:
		return err
	case done == nil || done.after != r.after: // another operator may have been first
		stands := raised{before: r.after, after: r.after}
		return a.ShowLines(f.Output, stands.result(),
			fmt.Sprintf("the term is %d, so the next one is already above %d; nothing was changed (%s)", r.after.Term, f.floor, leaderText(r.after)))
	}
	return a.ShowLines(f.Output, done.result(), done.text()...)
}

// once raises the term in one attempt of the transaction.
func (f *raiseFlags) once(e *election.LeaderElection, tr kv.Transaction, now time.Time) (r raised, err error) {
	state, err := e.ReadStatus(tr)
	r.before = state.Leader
	unknown := slices.ContainsFunc(records.InvalidIn(err), func(i *fdbelection.InvalidStateError) bool { return i.Record == "leader" && !i.Newer })
	r.mended = unknown || records.LeaderLost(&state)
	switch {
	case unknown && !f.force:
		return r, fmt.Errorf("the holder of leadership is unknown (%w); make sure that every process is stopped, and replace the record with --force", err)
	case err != nil && !unknown:
		return r, err
	case !r.before.Vacant() && (r.mended || r.before.Term <= f.floor) && !f.force:
		return r, fmt.Errorf("by the record, %s holds leadership in term %d; make sure that every process is stopped, and end that tenure with --force", r.before.Identity, r.before.Term)
	}
	r.after, err = e.RaiseTerm(tr, f.floor, now)
	return r, err
}

// result returns the output.
func (r *raised) result() raisedTerm {
	done := raisedTerm{
		Changed: r.before != r.after, Mended: r.mended, FromTerm: r.before.Term, FromBallot: r.before.Ballot,
		Leader: output.IdentityOf(r.after.Identity), Term: r.after.Term, Ballot: r.after.Ballot,
	}
	if done.Changed {
		done.From = output.IdentityOf(r.before.Identity)
	}
	return done
}

// text says what was changed.
func (r *raised) text() (lines []string) {
	before, after := r.before, r.after
	if !before.Vacant() {
		lines = append(lines, fmt.Sprintf("the tenure of %s in term %d has ended", before.Identity, before.Term))
	}
	if r.mended {
		return append(lines, fmt.Sprintf("the leader record was lost, and is written again: leadership is vacant after term %d, at ballot %d; the next tenure has term %d",
			after.Term, after.Ballot, after.Term+1))
	}
	return append(lines, fmt.Sprintf("the term went from %d to %d, the ballot from %d to %d; the next tenure has term %d",
		before.Term, after.Term, before.Ballot, after.Ballot, after.Term+1))
}
