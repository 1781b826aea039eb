package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/groupview"
)

func (a *app) groupStatusCommand() *cobra.Command {
	var r session.Report
	var quick bool
	cmd := &cobra.Command{
		Use:   "status --store STORE [flags]",
		Short: "Show a group: config, members with their load, shards, wishes of operators",
		Long: `status shows the config of a group, how many shards are led, free and about to move, what
operators want (pins, requests, drains), and the members with their load.

It waits for a heartbeat of every member, at most for one and a half heartbeats, and compares
no clocks. A member without a heartbeat in that time is silent. "oldest beat" is the longest
time for which it saw no heartbeat of a member. --quick does not wait, and judges no member.

"moving" counts the shards that the balance gives to another member, free ones included:
"group rebalance --dry-run" lists them. The lag of a mirror is how late a member sees
changes, by the versions of the database.

If a record cannot be read, status shows the others, says which one it is and what to do, and
ends with 1.`,
		Example: `  fdbelect group status --store file:/tmp/demo.db
  fdbelect group status --store file:/tmp/demo.db --quick --output json`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.groupStatus(cmd.Context(), &r, quick) },
	}
	r.AddGroupFlags(cmd)
	cmd.Flags().BoolVar(&quick, "quick", false, "read once, and judge no member as silent")
	return cmd
}

// groupView is what a command has read and seen of a group.
type groupView struct {
	groupview.Summary
	observed *groups.Observation
}

// viewGroup reads a group and waits for the heartbeats of its members.
func (a *app) viewGroup(ctx context.Context, r *session.Report, quick bool) (*groupView, error) {
	s, st, err := a.loadGroup(ctx, &r.Access)
	if err != nil {
		return nil, err
	}
	defer s.End()
	limit := st.HeartbeatWindow()
	if quick {
		limit = 0
	}
	v := &groupView{}
	if v.observed, err = groups.Observe(ctx, s, st, limit); err != nil {
		return nil, err
	}
	if v.observed.Slow {
		fmt.Fprintf(a.Stderr, "fdbelect: store %s is slow: a read took %s; no member is judged as silent\n", r.SafeSpec(), output.Age(v.observed.Slowest))
	}
	v.Summary = st.Summary(v.observed.Judge)
	return v, nil
}

func (a *app) groupStatus(ctx context.Context, r *session.Report, quick bool) error {
	v, err := a.viewGroup(ctx, r, quick)
	if err != nil {
		return err
	}
	s := report.GroupStatusOf(&v.Summary)
	s.Store, s.Root, s.Group, s.Waited = r.Spec, r.Root, r.Name, output.Duration(v.observed.Took)
	err = a.Show(r.Output, &s, func() output.Table { return v.statusTable(&s) })
	return errors.Join(err, r.Explain(v.Unreadable))
}

// statusMembers is how many members "group status" shows: it fits on one screen.
const statusMembers = 20

func (v *groupView) statusTable(s *report.GroupStatus) output.Table {
	rows := append([][]string{{"group", fmt.Sprintf("%s below %s in %s",
		election.SafeText(s.Group), election.SafeText(s.Root), election.SafeText(s.Store))}}, configRows(s.Config)...)
	moving := "unknown: the members use a newer rule"
	if s.Moving != nil {
		moving = strconv.Itoa(*s.Moving)
	}
	rows = append(rows,
		[]string{"shards", fmt.Sprintf("%d: %d led, %d free", s.Shards, s.Shards-s.Free-s.Damaged, s.Free)},
		[]string{"moving", moving},
		[]string{"wanted", fmt.Sprintf("%s, %s, %s", output.Count(s.Pins, "pin"), output.Count(s.Requests, "request"), output.Count(s.Drains, "drain"))},
		[]string{"log", "goes back " + output.Age(time.Duration(s.Log))})
	if len(s.Unreadable) > 0 {
		rows = append(rows, []string{"damaged", damagedKinds(s.Unreadable)})
	}
	rows = append(rows, []string{"members", v.membersText(s)})
	head := len(rows) + 1
	if len(v.Members) > 0 {
		rows = append(rows, []string{}, []string{"MEMBER", "SHARDS", "BEAT", "STATE"})
	}
	shown := v.Members[:min(len(v.Members), statusMembers)]
	for i := range shown {
		m := &shown[i]
		rows = append(rows, []string{election.SafeText(m.ID), strconv.Itoa(m.Shards), beatText(m), stateText(m)})
	}
	if more := len(v.Members) - len(shown); more > 0 {
		rows = append(rows, []string{fmt.Sprintf("and %d more: see \"fdbelect group members\"", more)})
	}
	return output.Table{Rows: rows, Style: func(p terminal.Palette, i int) func(string) string {
		switch {
		case i == head:
			return p.Bold
		case i > head && i-head <= len(shown):
			return memberPaint(p, &shown[i-head-1])
		case len(rows[i]) > 0 && rows[i][0] == "damaged":
			return p.Bad
		case len(rows[i]) > 0 && rows[i][0] == "shards" && i < head && s.Free > 0:
			return p.Warn
		}
		return nil
	}}
}

func configRows(c *report.GroupConfig) [][]string {
	if c == nil {
		return [][]string{{"config", "damaged"}}
	}
	return [][]string{
		{"config", fmt.Sprintf("revision %d, %s", c.Revision, output.Either(c.Enabled, "enabled", "disabled: no member may lead"))},
		{"", fmt.Sprintf("lease %s, heartbeat %s, margin %s", c.Lease, c.Heartbeat, c.Margin)},
		{"", fmt.Sprintf("settle delay %s, %s at a time, log kept for %s", c.SettleDelay, output.Count(c.MaxMoves, "move"), c.Retention)},
	}
}

// membersText counts the members by state.
func (v *groupView) membersText(s *report.GroupStatus) string {
	if len(v.Members) == 0 {
		return "none: no shard is led"
	}
	counts := make(map[string]int)
	for i := range v.Members {
		counts[v.Members[i].State()]++
	}
	var states []string
	for _, state := range []string{groupview.StateReady, groupview.StateNotReady, groupview.StateDraining, groupview.StateSilent, groupview.StateUnreadable} {
		if counts[state] > 0 {
			states = append(states, fmt.Sprintf("%d %s", counts[state], state))
		}
	}
	text := fmt.Sprintf("%d: %s", len(v.Members), strings.Join(states, ", "))
	if s.Silent != nil {
		text += fmt.Sprintf("; oldest beat %s ago", output.Age(time.Duration(*s.Silent)))
	}
	if s.MirrorLag != nil {
		text += fmt.Sprintf("; mirrors lag up to %s", output.Age(time.Duration(*s.MirrorLag)))
	}
	return text
}

// beatText says when the last heartbeat of a member was seen.
func beatText(m *groupview.Member) string {
	switch {
	case m.Beat == nil:
		return "none"
	case m.Age == nil:
		return "-"
	case m.Silent != nil && *m.Silent:
		return "none for " + output.Age(*m.Age)
	default:
		return output.Age(*m.Age) + " ago"
	}
}

// stateText says in which state a member is, and why it is not ready.
func stateText(m *groupview.Member) string {
	state := m.State()
	switch {
	case m.Record == nil || m.Record.Ready():
	case state == groupview.StateNotReady:
		state += ": " + records.ShortReason(m.Record.NotReady)
	default:
		state += ", not ready: " + records.ShortReason(m.Record.NotReady)
	}
	if m.Drained {
		state += output.Either(m.State() == groupview.StateDraining, " (by an operator)", ", drained by an operator")
	}
	return state
}

func memberPaint(p terminal.Palette, m *groupview.Member) func(string) string {
	switch m.State() {
	case groupview.StateReady:
		return nil
	case groupview.StateSilent, groupview.StateUnreadable:
		return p.Bad
	default:
		return p.Warn
	}
}

func (a *app) groupMembersCommand() *cobra.Command {
	var r session.Report
	var quick bool
	cmd := &cobra.Command{
		Use:   "members --store STORE [flags]",
		Short: "List the members of a group, with their load, heartbeats and tags",
		Long: `members lists every member: its state, how many shards it leads, its weight and capacity (0:
no limit), its last heartbeat and its tags. The states:

  ready      it receives shards
  not ready  it says itself why it receives none
  draining   it leaves, or an operator drains it: its shards go to other members
  silent     no heartbeat was seen while the command watched
  damaged    its record cannot be read

The command waits for a heartbeat of every member, at most for one and a half heartbeats, and
compares no clocks. BEAT is how long ago it saw one. --quick does not wait, and judges no
member. LAG is how late a member sees changes. A member that died stays listed until another
member evicts it. If a record cannot be read, members lists the others, names it and ends
with 1.`,
		Example: `  fdbelect group members --store file:/tmp/demo.db
  fdbelect group members --store file:/tmp/demo.db --quick --output json`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v, err := a.viewGroup(cmd.Context(), &r, quick)
			if err != nil {
				return err
			}
			err = a.Show(r.Output, report.GroupMembersOf(v.Members), v.membersTable)
			return errors.Join(err, r.Explain(v.Unreadable))
		},
	}
	r.AddGroupFlags(cmd)
	cmd.Flags().BoolVar(&quick, "quick", false, "read once, and judge no member as silent")
	return cmd
}

func (v *groupView) membersTable() output.Table {
	t := output.Table{Header: []string{"MEMBER", "SHARDS", "WEIGHT", "CAPACITY", "BEAT", "LAG", "STATE", "TAGS"}}
	t.Style = func(p terminal.Palette, i int) func(string) string { return memberPaint(p, &v.Members[i]) }
	for i := range v.Members {
		m := &v.Members[i]
		weight, capacity, tags, lag := "-", "-", "", "-"
		if m.Record != nil {
			weight, capacity, tags = fmt.Sprint(m.Record.Weight), fmt.Sprint(m.Record.Capacity), output.Metadata(m.Record.Tags)
		}
		if m.Lag != nil {
			lag = output.Age(*m.Lag)
		}
		t.Rows = append(t.Rows, []string{
			m.Identity().String(), strconv.Itoa(m.Shards), weight, capacity, beatText(m), lag, stateText(m), tags,
		})
	}
	return t
}
