package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

func (a *app) cancelCommand() *cobra.Command {
	var r session.Report
	cmd := &cobra.Command{
		Use:   "cancel --store STORE [flags]",
		Short: "Remove the request to the leader",
		Long: `cancel removes the request to the leader: the request of an operator ("resign",
"transfer"), the preemption request of a candidate, or a request that cannot be read. It says
what it has removed. The command that made a request and still waits for it ends with 1.

A challenger that runs repeats its request with its next heartbeat. To prevent preemption,
use "config set preemption=false". The leader may finish a drain or a hand-over that it has
begun.`,
		Example: `  fdbelect cancel --store file:/tmp/demo.db
  fdbelect cancel --store file:/tmp/demo.db --election jobs`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.cancel(cmd.Context(), &r) },
	}
	r.AddFlags(cmd)
	return cmd
}

// standing is what is asked of the leader, or why that cannot be read.
type standing struct {
	intent     election.Request
	unreadable error
}

func (q *standing) nothing() bool { return q.unreadable == nil && q.intent.Kind == election.NoRequest }

// cancelled is what "cancel" has removed.
type cancelled struct {
	Changed    bool              `json:"changed"`
	Removed    *requestStatus    `json:"removed"` // nil: nothing, or one that cannot be read
	Unreadable []records.Damaged `json:"unreadable"`
}

func (a *app) cancel(ctx context.Context, r *session.Report) error {
	var removed standing // by some run: one that follows on a lost answer finds its work done
	_, err := session.TransactOnce(ctx, a.Program, &r.Access, func(e *election.LeaderElection, tr kv.Transaction) (none struct{}, err error) {
		now, err := readAsked(e, tr)
		if err != nil {
			return none, err
		}
		if !now.nothing() {
			removed = now
		}
		_, err = e.CancelAnyRequest(tr)
		return none, err
	})
	text := "removed: " + removed.intent.String()
	switch {
	case err != nil:
		return err
	case removed.unreadable != nil:
		text = terminal.SafeLines("removed a request that could not be read: " + removed.unreadable.Error())
	case removed.intent.Kind == election.NoRequest:
		text = "there is no request; nothing was changed"
	case removed.intent.Kind == election.PreemptionRequest:
		text += "; a challenger that runs repeats its request with its next heartbeat"
	}
	done := cancelled{Changed: !removed.nothing(), Removed: requestOf(removed.intent), Unreadable: records.DamagedIn(removed.unreadable)}
	return a.ShowLines(r.Output, done, text)
}

// readAsked reads what is asked of the leader, whatever is wrong with the other
// records.
func readAsked(e *election.LeaderElection, tr kv.ReadTransaction) (q standing, err error) {
	if _, err := e.ReadConfig(tr); err != nil && !errors.Is(err, fdbelection.ErrInvalidState) {
		return q, err
	}
	q.intent, err = e.ReadRequest(tr)
	if errors.Is(err, fdbelection.ErrInvalidState) {
		q.intent, q.unreadable, err = election.Request{}, err, nil
	}
	return q, err
}
