package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

func (a *app) statusCommand() *cobra.Command {
	var r session.Report
	var check, wait bool
	cmd := &cobra.Command{
		Use:   "status --store STORE [flags]",
		Short: "Show the leader, its lease, the config and the request",
		Long: `status shows the leader record, the config and the request, from one read. Whether a lease
has expired, it can only say by the clock of the leader's host compared with the local clock.
"delayed" names the candidates among the first 16 by rank that do not claim or preempt yet,
and the rule: a hold-off, the preempt delay or the minimum tenure. "candidates" shows which
ones are not ready.
"expiry" shows how the candidates decide.

--check says by its exit code, after one read, whether there is a leader now:

  0  The record names a leader that has accepted leadership, and the lease in the record
     has not expired, by the local clock.
  3  There is none, or it has not accepted yet, or its lease has expired by the local clock.
  1  It is unknown: a record is damaged, or the lease begins in the future, so the clock of
     the leader's host is ahead of the local clock.

The answer is as accurate as the two clocks. If they differ by a second, it may be wrong for
a second around the end of a lease. A leader that died counts until its lease expires, as it
does for the candidates. Use --check for probes and routing. It is not a fence: a leader that
must know whether it still leads uses its own deadline or its fencing token. To see that a
leader is alive without comparing clocks, use "watch --until leader --for 30s".

--wait waits until a leader is settled: it has accepted leadership, and its lease is live. If
leases expire by observation, one read cannot know that, because the leader may have died long
ago. status then waits for the next renewal, which takes about a heartbeat interval, and
compares no clocks of different hosts. If leases expire by clock, it compares the end of the
lease with the local clock. A leader that a read has seen displaced is never the answer. If no
leader is settled within --timeout, status shows what it has read last, and ends with 5.

If a record cannot be read, status shows the others, says which one it is and how to repair
it, and ends with 1.`,
		Example: `  fdbelect status --store file:/tmp/demo.db
  fdbelect status --store file:/tmp/demo.db --output json
  fdbelect status --store file:/tmp/demo.db --check
  fdbelect status --store file:/tmp/demo.db --wait --timeout 30s`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if wait && check {
				return exit.Usage(errors.New("use either --wait or --check"))
			}
			return a.status(cmd.Context(), &r, check, wait)
		},
	}
	r.AddFlags(cmd)
	cmd.Flags().BoolVar(&check, "check", false, "end with 3 unless there is a leader whose lease has not expired, by the local clock")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until a leader is settled, at most for --timeout")
	return cmd
}

// status shows the status, after a wait if wait is set. With check, it returns an error
// unless there is a leader.
func (a *app) status(ctx context.Context, r *session.Report, check, wait bool) error {
	var s *status
	var late, err error
	if wait {
		s, late, err = a.awaitLeader(ctx, r)
	} else {
		s, err = session.ReadOnce(ctx, a.Program, &r.Access, readStatus)
	}
	if err != nil {
		return err
	}
	s.Election, s.Root, s.Store = r.Name, r.Root, r.Spec
	now := a.Clock.Wall()
	s.judge(now)
	err = a.Show(r.Output, s, func() output.Table { return s.table(now) })
	err = errors.Join(err, r.Explain(s.unreadable))
	switch {
	case err != nil:
		return err
	case check:
		return s.check(now)
	}
	return late
}

// check says why there is no leader now, or why that is unknown, by one read and the
// clocks. It returns nil if there is a leader.
func (s *status) check(now time.Time) error {
	l := s.record
	ahead := l.LeaseExpiry.Add(-l.LeaseDuration).Sub(now)
	switch {
	case l.Vacant():
		return fmt.Errorf("%w: no candidate leads", fdbelection.ErrNotLeader)
	case !l.Accepted:
		return fmt.Errorf("%w: %s was handed leadership, and has not accepted it yet", fdbelection.ErrNotLeader, l.Identity)
	case l.ExpiredAt(now):
		return fmt.Errorf("%w: the lease of %s expired %s ago (local clock)", fdbelection.ErrNotLeader, l.Identity, output.Age(now.Sub(l.LeaseExpiry)))
	case ahead > s.tolerance:
		return fmt.Errorf("the clock of %s is at least %s ahead of the local clock, so one read cannot tell whether its lease has expired; use \"fdbelect watch --until leader\"",
			l.Identity, output.Age(ahead))
	}
	return nil
}

// status is the output of "status".
type status struct {
	report.Status

	candidates []election.Candidate
	record     election.LeaderRecord
	tolerance  time.Duration       // of two clocks
	tenure     election.TermRecord // of the present or last leader
	lost       bool                // the leader record is missing: Term and Ballot are from the term record
	unreadable error
}

func readStatus(e *election.LeaderElection, tr kv.ReadTransaction) (*status, error) {
	read, err := e.ReadStatus(tr)
	if err != nil {
		return nil, err
	}
	const ofOneTerm = 3 // events
	events, err := e.History(tr, ofOneTerm)
	if err != nil && !errors.Is(err, fdbelection.ErrInvalidState) {
		return nil, err
	}
	leader := read.Leader
	s := &status{
		Status: report.StatusOf(&read, events, leader.LeaseExpiry),
		record: leader, tolerance: records.ClockTolerance(&read.Config), tenure: read.Term, lost: records.LeaderLost(&read), unreadable: read.Unreadable,
	}
	s.candidates, err = readFirst(e, tr, leader.ID)
	return s, err
}

// judge compares the lease with the local clock.
func (s *status) judge(now time.Time) {
	if s.Tenure != nil {
		s.Tenure.LeaseExpired = s.record.ExpiredAt(now)
	}
	s.Delays = report.DelaysOf(s.candidates, now)
}

// table returns the status as a table.
func (s *status) table(now time.Time) output.Table {
	rows := s.rows(now)
	return output.Table{Rows: rows, Style: func(p terminal.Palette, i int) func(string) string {
		switch {
		case rows[i][0] == "damaged":
			return p.Bad
		case i != 1: // the leader
			return nil
		case s.Tenure == nil || s.Tenure.LeaseExpired:
			return p.Warn
		}
		return p.Good
	}}
}

func (s *status) rows(now time.Time) [][]string {
	rows := [][]string{{"election", fmt.Sprintf("%s below %s in %s",
		election.SafeText(s.Election), election.SafeText(s.Root), election.SafeText(s.Store))}}
	if l := s.Tenure; l == nil {
		rows = append(rows, []string{"leader", s.noLeader()})
	} else {
		rows = append(rows,
			[]string{"leader", fmt.Sprintf("%s, priority %d%s", s.record.Identity, l.Priority, records.PendingText(l.Accepted))},
			[]string{"since", fmt.Sprintf("%s (%s ago, %s)", l.Since.Format(output.TimeLayout), output.Age(now.Sub(l.Since)), l.AcquireReason)},
			[]string{"lease", lease(l, now)})
	}
	if s.Settled != nil {
		rows = append(rows, []string{"settled", fmt.Sprintf("%s, after %s", output.Either(*s.Settled, "yes", "no"), output.Age(time.Duration(s.Waited)))})
	}
	if s.unreadable != nil {
		rows = append(rows, []string{"damaged", damagedKinds(s.Unreadable)})
	}
	rows = append(rows,
		[]string{"term", fmt.Sprint(s.Term)},
		[]string{"ballot", fmt.Sprint(s.Ballot)},
		[]string{"request", requestText(s.Request)})
	c := s.Config
	return append(append(rows, s.delayRows(now)...),
		[]string{"config", fmt.Sprintf("revision %d, %s", c.Revision, output.Either(c.Enabled, "enabled", "disabled: no candidate may claim or renew"))},
		[]string{"", fmt.Sprintf("lease %s, heartbeat %s, margin %s, candidate timeout %s", c.Lease, c.Heartbeat, c.Margin, c.CandidateTimeout)},
		[]string{"", fmt.Sprintf("expiry by %s, preemption %s, minimum tenure %s, preempt delay %s, history %d", c.Expiry,
			output.Either(c.Preemption, "with a grace of "+c.PreemptionGrace.String(), "off"), c.MinimumTenure, c.PreemptDelay, c.HistoryLimit)},
	)
}

func (s *status) noLeader() string {
	switch {
	case s.lost:
		return records.LostText(s.tenure)
	case s.Ballot == 0:
		return "none yet"
	case s.tenure.ID == "":
		return "none: leadership is vacant"
	}
	return fmt.Sprintf("none: leadership is vacant, %s led last", s.tenure.Identity)
}

// damagedKinds lists the kinds of records that could not be read, each once.
func damagedKinds(unreadable []records.Damaged) string {
	var kinds []string
	for _, r := range unreadable {
		if !slices.Contains(kinds, r.Record) {
			kinds = append(kinds, r.Record)
		}
	}
	return strings.Join(kinds, ", ")
}

// requestText describes a request, or says that there is none.
func requestText(r *report.Request) string {
	switch {
	case r == nil:
		return "none"
	case r.Candidate == nil:
		return fmt.Sprintf("%s, of term %d", r.Kind, r.Term)
	default:
		return fmt.Sprintf("%s by %s of priority %d, of term %d, repeated %d times",
			r.Kind, election.SafeText(r.Candidate.ID), r.Priority, r.Term, r.Counter)
	}
}

// lease says when a lease expires, by the clock of the leader's host.
func lease(l *report.Tenure, now time.Time) string {
	if l.LeaseExpired {
		return fmt.Sprintf("%s, expired %s ago (local clock)", l.Lease, output.Age(now.Sub(l.LeaseExpiry)))
	}
	return fmt.Sprintf("%s, ends in %s (local clock)", l.Lease, output.Age(l.LeaseExpiry.Sub(now)))
}
