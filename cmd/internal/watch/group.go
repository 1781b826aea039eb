package watch

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/kv"
)

const groupHelp = `watch shows every change of a group as it happens, until it is interrupted. It writes nothing,
and does not appear among the members.

On a terminal it shows a table that is redrawn: the shards, the members with bars of their
load, and the last events. Shards that move alike within a second are one row. q ends it. If
the output is not a terminal, or with --output or --tui=false, it prints one line per change:
the time, the event, and what it is about, as in

  ... event=handed_over shard=shard-0007 term=3 from=a to=b reason=balance

Events of shards:

  created, claimed, handed_over, vacant, removed
  pinned, unpinned, requested, done, canceled

Events of members:

  present (at the start), joined, ready, not_ready, draining, changed, left, evicted
  drained, undrained
  timed_out          no heartbeat was seen for its lease;
                     heartbeat_resumed is the next heartbeat

Other events are start, config, and reset: the log was trimmed or the store restored, so
changes may be missing. If the store or a record cannot be read, the event is unreadable, and
later readable. watch retries until it is interrupted. It does not rely on the clocks of other
hosts.

With --output json each line is a JSON object. With --output yaml each change is a document.

--until REGEXP ends with the first line that matches. --for ends after a time, with exit code
5 if --until did not match.`

// GroupCommand returns the subcommand "group watch".
func GroupCommand(p *session.Program) *cobra.Command {
	var f watchFlags
	cmd := &cobra.Command{
		Use:   "watch --store STORE [flags]",
		Short: "Watch a group live: members with their load, and moves",
		Long:  groupHelp,
		Example: `  fdbelect group watch --store file:/tmp/demo.db
  fdbelect group watch --store file:/tmp/demo.db --output json
  fdbelect group watch --store file:/tmp/demo.db --tui=false --until 'event=evicted' --for 1m`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.parse(cmd.Flags().Changed, p); err != nil {
				return exit.Usage(err)
			}
			return runGroupWatch(cmd.Context(), p, &f)
		},
	}
	f.AddGroupFlags(cmd)
	f.addOwn(cmd, "end with the first line that matches this regular expression")
	return cmd
}

// runGroupWatch watches a group until ctx ends, the time is over, or --until matches.
func runGroupWatch(ctx context.Context, p *session.Program, f *watchFlags) error {
	o, err := openWatch(ctx, p, f)
	if err != nil {
		return err
	}
	w := &groupWatcher{opened: o}
	r := &reader[groupUpdate]{opened: o, read: w.read, heartbeat: w.heartbeat}
	return follow(ctx, f, r, func() viewer[groupUpdate] { return newGroupViewer(p, f) },
		func(u *groupUpdate) bool { return matches(f, &u.news) })
}

// groupNews is one change that "group watch" reports.
type groupNews struct{ report.GroupEvent }

func (n *groupNews) kind() string { return n.Event }

// line returns a change as fields of the form key=value, always in the same order.
func (n *groupNews) line() string {
	fields := []string{n.Time.UTC().Format(output.TimeLayout), "event=" + n.Event}
	if n.Shard != "" {
		fields = append(fields, "shard="+output.Field(n.Shard))
	}
	if n.Term > 0 {
		fields = append(fields, fmt.Sprintf("term=%d", n.Term))
	}
	for _, one := range []struct {
		key string
		who *output.Identity
	}{{"from", n.From}, {"to", n.To}, {"member", n.Member}} {
		if one.who != nil {
			fields = append(fields, one.key+"="+output.Field(one.who.ID))
		}
	}
	return strings.Join(append(fields, "reason="+output.Field(n.Reason)), " ")
}

// groupUpdate is the result of one read of a group.
type groupUpdate struct {
	read    bool      // false: it failed, and only news and problem are set
	seen    time.Time // when it returned, on the monotonic clock
	shards  int
	counts  groupview.Counts
	members []groupview.Member
	config  group.Config // the zero Config if it cannot be read
	damaged string       // which records cannot be read, or empty
	news    []groupNews
	problem string // why the read failed, or empty
}

// groupWatcher reads a group again and again.
type groupWatcher struct {
	*opened
	state      *groupview.State // nil before the first read
	teller     *groups.Teller
	heartbeats groupview.Heartbeats
	timedOut   map[string]bool
	started    bool // the first read is complete
	unreadable string
	news       []groupNews
}

func (w *groupWatcher) heartbeat() time.Duration {
	if w.state == nil || w.problem != "" {
		return 0
	}
	return w.state.Config.HeartbeatInterval
}

// report adds an event. Its time is now, on the local wall clock: that is when it was seen.
func (w *groupWatcher) report(e groups.Event) {
	e.At = w.Clock.Wall()
	w.news = append(w.news, groupNews{report.GroupEventOf(&e, e.At, 0)})
}

// read reads until the state is up to date. The watch fires at the next change.
func (w *groupWatcher) read(ctx context.Context, stop context.CancelCauseFunc) (groupUpdate, armed) {
	w.news = nil
	for {
		r, watches, err := readArmed(ctx, w.opened, stop, w.step)
		if err != nil {
			if text := w.access.Explain(err).Error(); text != w.problem {
				w.problem = text
				w.report(groups.Event{Kind: eventUnreadable, Reason: text})
			}
			return groupUpdate{news: w.news, problem: w.problem}, armed{}
		}
		if w.problem != "" {
			w.problem = ""
			w.report(groups.Event{Kind: eventReadable, Reason: "the group can be read"})
		}
		scanned := w.state.Rescanned()
		if w.state.Add(&r, w.tell) {
			return w.update(), watches
		}
		if !scanned && w.state.Rescanned() && w.started {
			w.report(groups.Event{Kind: eventReset, Reason: "the log was trimmed, or the store restored: changes may be missing"})
		}
		watches.cancel()
	}
}

// step reads what the state needs next, and sets the watch in the same transaction.
func (w *groupWatcher) step(s *session.Session, tr kv.Transaction) (groupview.Reading, armed, error) {
	if err := groups.Exists(s.Group, tr); err != nil {
		return groupview.Reading{}, armed{}, err
	}
	if w.state == nil {
		w.state = groupview.New(s.Group)
	}
	watches := armed{candidates: s.Group.Watch(tr)}
	r, err := w.state.Read(tr)
	return r, watches, err
}

// tell reports a change of the log.
func (w *groupWatcher) tell(c *group.Change) {
	if !w.started {
		return // the changes during the first scan
	}
	if w.teller == nil {
		w.teller = groups.NewTeller(w.state)
	}
	if e, told := w.teller.Tell(c); told {
		w.report(e)
	}
}

// update reports what the log does not have, and returns the result of the read.
func (w *groupWatcher) update() groupUpdate {
	w.teller = nil // the state has the changes from now on
	seen := w.Clock.Now()
	counts := w.state.Count()
	members := w.state.Members(&counts, nil)
	if !w.started {
		w.start(&counts, members)
	}
	w.heartbeats.See(w.state.Beats, seen)
	w.judge(members, seen)
	damaged := ""
	if err := w.state.Unreadable(); err != nil {
		damaged = records.WithRemedies(err, "to repair it").Error()
	}
	if damaged != w.unreadable {
		w.unreadable = damaged
		if damaged == "" {
			w.report(groups.Event{Kind: eventReadable, Reason: "all records can be read"})
		} else {
			w.report(groups.Event{Kind: eventUnreadable, Reason: damaged})
		}
	}
	return groupUpdate{
		read: true, seen: seen, shards: w.state.Mirror.Len(), counts: counts, members: members,
		config: w.state.Config, damaged: damaged, news: w.news,
	}
}

// start reports the group at the start.
func (w *groupWatcher) start(c *groupview.Counts, members []groupview.Member) {
	w.started = true
	reason := fmt.Sprintf("%s, %d of them free", output.Count(w.state.Mirror.Len(), "shard"), c.Free)
	w.report(groups.Event{Kind: eventStart, Reason: reason})
	if config := w.state.Config; config.Revision > 0 && !config.Enabled {
		w.report(groups.Event{Kind: eventConfig, Reason: "the group is disabled"})
	}
	for i := range members {
		m := &members[i]
		w.report(groups.Event{Kind: eventPresent, Member: m.Identity(), Reason: fmt.Sprintf("%s, leads %s", m.State(), output.Count(m.Shards, "shard"))})
	}
}

// judge finds members of which no heartbeat was seen for their lease, on the local clock.
func (w *groupWatcher) judge(members []groupview.Member, seen time.Time) {
	timedOut := make(map[string]bool)
	for i := range members {
		m := &members[i]
		age, known := w.heartbeats.Since(m.ID, seen)
		if !known {
			continue
		}
		late := m.Beat != nil && m.Beat.Lease > 0 && age > m.Beat.Lease
		m.Age, m.Silent = &age, &late
		switch {
		case late && !w.timedOut[m.ID]:
			w.report(groups.Event{Kind: eventTimedOut, Member: m.Identity(), Reason: "no heartbeat was seen for " + m.Beat.Lease.String()})
		case !late && w.timedOut[m.ID]:
			w.report(groups.Event{Kind: eventHeartbeatResumed, Member: m.Identity(), Reason: "it sends heartbeats again"})
		}
		timedOut[m.ID] = late
	}
	w.timedOut = timedOut
}
