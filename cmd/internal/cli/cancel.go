package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
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

// pending is the request to the leader, or why it cannot be read.
type pending struct {
	request    election.Request
	unreadable error
}

func (p *pending) empty() bool { return p.unreadable == nil && p.request.Kind == election.NoRequest }

// cancelled is the output of "cancel".
type cancelled struct {
	Changed    bool              `json:"changed"`
	Removed    *report.Request   `json:"removed"` // nil: there was none, or it cannot be read
	Unreadable []records.Damaged `json:"unreadable"`
}

func (a *app) cancel(ctx context.Context, r *session.Report) error {
	var removed pending // by any attempt: a retry after a lost answer finds the request gone
	_, err := session.TransactOnce(ctx, a.Program, &r.Access, func(e *election.LeaderElection, tr kv.Transaction) (none struct{}, err error) {
		now, err := readPending(e, tr)
		if err != nil {
			return none, err
		}
		if !now.empty() {
			removed = now
		}
		_, err = e.CancelAnyRequest(tr)
		return none, err
	})
	text := "removed: " + removed.request.String()
	switch {
	case err != nil:
		return err
	case removed.unreadable != nil:
		text = terminal.SafeLines("removed a request that could not be read: " + removed.unreadable.Error())
	case removed.request.Kind == election.NoRequest:
		text = "there is no request; nothing was changed"
	case removed.request.Kind == election.PreemptionRequest:
		text += "; a challenger that runs repeats its request with its next heartbeat"
	}
	done := cancelled{Changed: !removed.empty(), Removed: report.RequestOf(removed.request), Unreadable: records.DamagedIn(removed.unreadable)}
	return a.ShowLines(r.Output, done, text)
}

// readPending reads the request, even if other records are damaged.
func readPending(e *election.LeaderElection, tr kv.ReadTransaction) (p pending, err error) {
	if _, err := e.ReadConfig(tr); err != nil && !errors.Is(err, fdbelection.ErrInvalidState) {
		return p, err
	}
	p.request, err = e.ReadRequest(tr)
	if errors.Is(err, fdbelection.ErrInvalidState) {
		p.request, p.unreadable, err = election.Request{}, err, nil
	}
	return p, err
}
