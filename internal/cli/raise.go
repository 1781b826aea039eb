package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// raiseFlags are those of "raise-term".
type raiseFlags struct {
	access
	floor uint64
	force bool
}

func (a *app) raiseTermCommand() *cobra.Command {
	var f raiseFlags
	cmd := &cobra.Command{
		Use:   "raise-term --store STORE --floor TERM [flags]",
		Short: "After a restore: see that no term is used a second time",
		Long: `raise-term is for a database that was restored to its past. Its terms went back with
it, so whoever keeps the highest term that it has seen would refuse the next leaders,
or take an old one for a new one; and a process that is left over may find its own tenure
there again.

It raises the term to --floor: every tenure up to that is over, and the next one has a
higher term. Give a floor that no tenure before the restore has reached: the highest term
that any receiver of fenced writes has seen, or that your monitoring has, with some to
spare. A term that is higher already stays, and it may be repeated.

Stop all processes first; docs/operations.md has the whole procedure. A seat that is held
is given up with --force only: its fenced writes are refused from then on, but a holder
that runs may believe to lead until its lease ends.`,
		Example: `  fdbelect config disable --store file:/tmp/demo.db
  fdbelect raise-term --store file:/tmp/demo.db --floor 1000 --force
  fdbelect config enable --store file:/tmp/demo.db`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case !cmd.Flags().Changed("floor"):
				return usage(errors.New("--floor is missing: give a term that none has reached before the restore"))
			case f.floor == 0 || f.floor > election.MaxTermFloor:
				return usage(fmt.Errorf("--floor is %d; use 1 to %d", f.floor, uint64(election.MaxTermFloor)))
			}
			return a.raiseTerm(cmd.Context(), &f)
		},
	}
	f.access.addFlags(cmd)
	cmd.Flags().Uint64Var(&f.floor, "floor", 0, "the next term is higher than this one (required)")
	cmd.Flags().BoolVar(&f.force, "force", false, "end a tenure that is on record")
	return cmd
}

// raised is the seat before and after.
type raised struct{ before, after election.Leader }

func (a *app) raiseTerm(ctx context.Context, f *raiseFlags) error {
	var done *raised // what a run has changed, which a later one may find done
	r, err := change(ctx, a, &f.access, func(e *election.LeaderElection, tr kv.Transaction) (r raised, err error) {
		if r.before, err = e.GetLeaderRaw(tr); err != nil {
			return r, err
		}
		if !r.before.Vacant() && r.before.Term <= f.floor && !f.force {
			return r, fmt.Errorf("%s holds the seat in term %d by the record; make sure that every process is stopped, and end that tenure with --force", r.before.Identity, r.before.Term)
		}
		r.after, err = e.RaiseTerm(tr, f.floor, a.clock.Wall())
		if err == nil && r.after != r.before {
			done = &r
		}
		return r, err
	})
	switch {
	case errors.Is(err, fdbelection.ErrTermFloor):
		return usage(err)
	case err != nil:
		return err
	case done == nil || done.after != r.after: // or another operator was first
		fmt.Fprintf(a.stdout, "the term is %d, so the next one is above %d already; nothing was changed (%s)\n", r.after.Term, f.floor, seatText(r.after))
		return nil
	}
	before := done.before
	if !before.Vacant() {
		fmt.Fprintf(a.stdout, "the tenure of %s in term %d is over\n", before.Identity, before.Term)
	}
	fmt.Fprintf(a.stdout, "the term went from %d to %d, the ballot from %d to %d; the next tenure has term %d\n",
		before.Term, r.after.Term, before.Ballot, r.after.Ballot, r.after.Term+1)
	return nil
}
