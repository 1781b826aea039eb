package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/kv"
)

// groupExamination is one run of the checks of a group and what they have read.
type groupExamination struct {
	*basis
	state    *groupview.State
	observed *groups.Observation
	counts   groupview.Counts
	members  []groupview.Member
	// free are the shards that were free in the same term all the time. took is how long that
	// is.
	free map[string]uint64
	took time.Duration
	// asked are the shards whose leader was asked for the same all the time.
	asked map[string]group.RequestKind
}

// examineGroup runs the checks of a group.
func examineGroup(ctx context.Context, b *basis) error {
	e := &groupExamination{basis: b}
	if err := e.readAll(ctx); err != nil || e.state == nil {
		return err
	}
	e.checkLatency()
	if err := e.observe(ctx); err != nil {
		return err
	}
	e.checkConfig()
	e.checkMembers()
	e.checkMirrors()
	e.checkShards()
	e.checkPins()
	e.checkDrains()
	e.checkRequests()
	return e.checkLog(ctx)
}

// readAll reads every record.
func (e *groupExamination) readAll(ctx context.Context) error {
	e.begin("records")
	st, err := groups.Load(ctx, e.session)
	switch {
	case errors.Is(err, fdbelection.ErrNotInitialized):
		e.fail("it was never created, or it has another name", "check --group and --root: \"fdbelect list\" shows the groups; \"fdbelect group create\" creates one",
			"there is no group %s below %s", election.SafeText(e.Group), election.SafeText(e.Root))
		return nil
	case err != nil:
		return err
	}
	e.state = st
	if st.Config.Revision > 0 {
		lease := st.Config.Lease()
		e.lease = &lease
	}
	// Without a name, it only reads what it needs to create a shard: the config and the floor.
	_, floorErr := session.Transact(ctx, e.session, func(tr kv.Transaction) (int, error) {
		return e.session.Group.CreateShards(tr, nil, e.session.Program.Clock.Wall())
	})
	if floorErr != nil && !errors.Is(floorErr, fdbelection.ErrInvalidState) {
		return floorErr
	}
	if !e.unreadable(errors.Join(st.Unreadable(), floorErr)) {
		e.ok("the config can be read, and %s and %s", output.Count(len(st.Beats), "member"), output.Count(st.Mirror.Len(), "shard"))
	}
	return nil
}

// observe waits for the heartbeats of the members, and for free shards to be claimed.
func (e *groupExamination) observe(ctx context.Context) error {
	limit := e.state.LeaseWindow() + e.state.HeartbeatWindow()/2
	if e.quick || e.slow {
		limit = 0
	}
	c := e.session.Program.Clock
	begin := c.Now()
	e.note(true)
	var err error
	if e.observed, err = groups.Observe(ctx, e.session, e.state, limit); err != nil {
		return err
	}
	e.note(false)
	for limit > 0 && !e.observed.Slow && len(e.state.Beats) > 0 && (len(e.free) > 0 && e.state.Config.Enabled || len(e.asked) > 0) {
		passed, patience := c.Now().Sub(begin), 4*e.state.Config.HeartbeatInterval
		if passed >= patience {
			break
		}
		e.progress.Show(fmt.Sprintf("watching %s: %s of %s", output.Count(len(e.free), "free shard"), output.Tenths(passed), output.Tenths(patience)), int64(passed), int64(patience))
		if err := clock.Sleep(ctx, c, min(records.ReadInterval(patience), patience-passed)); err != nil {
			return err
		}
		if err := groups.Update(ctx, e.session, e.state); err != nil {
			return err
		}
		e.observed.See(e.state.Beats, c.Now())
		e.note(false)
	}
	e.took = c.Now().Sub(begin)
	if e.observed.Slow && e.lease != nil {
		e.reportSlowStore(fmt.Sprintf("a read took %s while the group was observed", output.Age(e.observed.Slowest)))
	}
	e.counts = e.state.Count()
	e.members = e.state.Members(&e.counts, e.observed.Judge)
	return nil
}

// note notes which shards are free, and what is asked of leaders: at first all of them, and then
// those of them that still are.
func (e *groupExamination) note(first bool) {
	free, asked := make(map[string]uint64), make(map[string]group.RequestKind)
	for _, s := range e.state.Mirror.Shards() {
		if term, was := e.free[s.Name]; e.state.Mirror.Free(s) && (first || was && term == s.Term) {
			free[s.Name] = s.Term
		}
		if kind := e.state.Asked(s); kind != group.NoRequest && (first || e.asked[s.Name] == kind) {
			asked[s.Name] = kind
		}
	}
	e.free, e.asked = free, asked
}

// checkConfig reports settings that are risky.
func (e *groupExamination) checkConfig() {
	c := e.state.Config
	if e.lease == nil {
		return // readAll has reported it
	}
	e.begin("config")
	before := len(e.Findings)
	if !c.Enabled {
		e.warn("no member may lead, so all shards become vacant", "run \"fdbelect group config enable\" when leaders are wanted", "the group is disabled")
	}
	e.checkLease("one heartbeat that fails or is late ends the leadership of all shards of a member")
	if c.SettleDelay < c.HeartbeatInterval {
		e.warn("shards move as soon as a member joins, so the restart of many members moves a shard many times", "make the settle delay a heartbeat or longer: \""+e.settings+" settle_delay=...\"",
			"settle delay %s, with a heartbeat of %s", c.SettleDelay, output.Duration(c.HeartbeatInterval))
	}
	if c.Retention < 10*c.LeaseDuration {
		e.warn("a member that is late has to read the whole group again, and \"group history\" shows little", "keep the log for a day: \""+e.settings+" retention=24h\"",
			"the log is kept for %s, with a lease of %s", c.Retention, c.LeaseDuration)
	}
	if len(e.Findings) == before {
		e.ok("revision %d: lease %s, heartbeat %s, margin %s, settle delay %s, %s at a time, log kept for %s", c.Revision, c.LeaseDuration,
			output.Duration(c.HeartbeatInterval), e.lease.EffectiveMargin(), output.Duration(c.SettleDelay), output.Count(c.MaxMoves, "move"), c.Retention)
	}
}

// checkMembers looks for members without a heartbeat, and for too few members.
func (e *groupExamination) checkMembers() {
	e.begin("members")
	if len(e.members) == 0 {
		e.warn("no shard is led", "start a member", "the group has no members")
		return
	}
	var silent, names, notReady, reasons []string
	ready := 0
	for i := range e.members {
		m := &e.members[i]
		switch m.State() {
		case groupview.StateSilent:
			silent, names = append(silent, m.ID), append(names, m.Identity().String())
		case groupview.StateNotReady:
			notReady, reasons = append(notReady, m.ID), append(reasons, m.Identity().String()+": "+records.ShortReason(m.Record.NotReady))
		case groupview.StateReady:
			ready++
		}
	}
	judged := e.observed.Judged && !e.slow
	switch {
	case e.slow:
		e.skip("which members are alive")
	case silent != nil:
		e.addMany(levelWarn, silent, "their processes have died or hang; other members evict them after their lease, and then claim their shards",
			"check the processes; if no member is alive, start one",
			fmt.Sprintf("%s sent no heartbeat for %s: %s", output.Count(len(silent), "member"), output.Tenths(e.observed.Took), firstFew(names)))
	}
	if notReady != nil {
		e.addMany(levelWarn, notReady, "they receive no shards, and keep those that they lead", "find out why they are not ready; a member that has just joined is ready soon",
			fmt.Sprintf("%s not ready: %s", output.Count(len(notReady), "member"), firstFew(reasons)))
	}
	found := fmt.Sprintf("%s ready, of %s", output.Count(ready, "member"), output.Count(len(e.members), "member"))
	switch {
	case ready < 2:
		e.warn("no other member could take over from one that fails", "start another member on another host", "%s", found)
	case silent == nil && judged:
		e.ok("%s, each with a heartbeat within %s", found, output.Tenths(e.observed.Took))
	default:
		e.ok("%s", found)
	}
}

// checkMirrors looks for members that see changes late. The others hand no shards over to
// them.
func (e *groupExamination) checkMirrors() {
	limit := 4 * e.state.Config.HeartbeatInterval // three, and one until the heartbeat was read
	var late, names []string
	worst := time.Duration(0)
	for i := range e.members {
		m := &e.members[i]
		if m.Lag == nil || m.Silent == nil || *m.Silent {
			continue
		}
		if worst = max(worst, *m.Lag); *m.Lag > limit {
			late, names = append(late, m.ID), append(names, fmt.Sprintf("%s by %s", m.Identity(), output.Age(*m.Lag)))
		}
	}
	e.begin("mirrors")
	switch {
	case e.quick || e.slow || e.lease == nil || len(e.members) == 0:
	case late != nil:
		e.addMany(levelWarn, late, "they see changes late, and the others hand no shards over to them", "check whether their processes or their connections to the store are overloaded",
			fmt.Sprintf("the mirrors of %s lag: %s", output.Count(len(late), "member"), firstFew(names)))
	default:
		e.ok("no mirror lags by more than %s", output.Age(worst))
	}
}

// checkShards looks for shards that stay free.
func (e *groupExamination) checkShards() {
	e.begin("shards")
	names := make([]string, 0, len(e.free))
	for name := range e.free {
		names = append(names, name)
	}
	slices.Sort(names)
	safe := make([]string, 0, len(names))
	for _, name := range names {
		safe = append(safe, election.SafeText(name))
	}
	total := e.state.Mirror.Len()
	found := fmt.Sprintf("%d of %s free: %s", len(names), output.Count(total, "shard"), firstFew(safe))
	switch {
	case total == 0:
		e.warn("there is nothing to lead", "add shards with \"fdbelect group create\"", "the group has no shards")
	case len(names) == 0:
		e.ok("%s, %d of them free", output.Count(total, "shard"), e.counts.Free)
	case e.state.Config.Revision > 0 && !e.state.Config.Enabled: // checkConfig has reported it
	case e.slow:
		e.skip("whether free shards are claimed")
	case e.quick:
		e.addMany(levelWarn, names, "they are not led now", "run doctor without --quick, which watches whether members claim them", found)
	case len(e.members) == 0:
		e.addMany(levelFail, names, "there is no member to lead them", "start a member", found)
	default:
		e.addMany(levelFail, names, "no member claims them: none is ready or has room, or their work fails again and again",
			"\"fdbelect group rebalance --dry-run\" says which have no room; check the logs of the members", fmt.Sprintf("for %s, %s", output.Tenths(e.took), found))
	}
}

// checkPins looks for pins to members that are absent.
func (e *groupExamination) checkPins() {
	e.begin("pins")
	var lost, names []string
	for _, s := range e.state.Mirror.Shards() {
		pin := e.state.Mirror.Pin(s.Name)
		if pin != "" && !slices.ContainsFunc(e.members, func(m groupview.Member) bool { return m.ID == pin }) {
			lost, names = append(lost, s.Name), append(names, election.SafeText(s.Name)+" to "+election.SafeText(pin))
		}
	}
	switch {
	case lost != nil:
		e.addMany(levelWarn, lost, "these shards are balanced like any other", "start the member, pin the shards to another one, or remove the pins with \"fdbelect group unpin\"",
			fmt.Sprintf("%s to absent members: %s", output.Count(len(lost), "pin"), firstFew(names)))
	default:
		e.ok("%s, none of them to an absent member", output.Count(e.counts.Pins, "pin"))
	}
}

// checkDrains looks for drains that stay.
func (e *groupExamination) checkDrains() {
	e.begin("drains")
	drained := e.state.Mirror.DrainedIDs()
	if len(drained) == 0 {
		e.ok("no operator drains a member")
		return
	}
	var names []string
	for _, id := range drained {
		text := election.SafeText(id)
		switch i := slices.IndexFunc(e.members, func(m groupview.Member) bool { return m.ID == id }); {
		case i < 0:
			text += " is absent"
		case e.members[i].Shards > 0:
			text += fmt.Sprintf(" still leads %s", output.Count(e.members[i].Shards, "shard"))
		default:
			text += " is empty"
		}
		names = append(names, text)
	}
	e.addMany(levelWarn, drained, "they receive no shards, also after a restart", "when the maintenance is over, \"fdbelect group undrain\" ends it",
		fmt.Sprintf("an operator drains %s: %s", output.Count(len(drained), "member"), firstFew(names)))
}

// checkRequests looks for requests on which leaders do not act.
func (e *groupExamination) checkRequests() {
	e.begin("requests")
	var pending, names []string
	for _, s := range e.state.Mirror.Shards() {
		if kind := e.asked[s.Name]; kind != group.NoRequest {
			pending, names = append(pending, s.Name), append(names, kind.String()+" "+election.SafeText(s.Name))
		}
	}
	switch {
	case pending == nil:
		e.ok("no leader is asked for anything for long")
	case e.quick || e.slow:
		e.ok("%s: %s", output.Count(len(pending), "request"), firstFew(names))
	default:
		e.addMany(levelWarn, pending, "their leaders have not done it yet: their work is still stopping, or they hang", "check the processes of the leaders; \"fdbelect group cancel\" takes it back",
			fmt.Sprintf("%s pending for %s: %s", output.Count(len(pending), "request"), output.Tenths(e.took), firstFew(names)))
	}
}

// checkLog looks for a log that is not trimmed.
func (e *groupExamination) checkLog(ctx context.Context) error {
	e.begin("log")
	log, err := session.ReadTransact(ctx, e.session, func(tr kv.ReadTransaction) (group.Changes, error) {
		return e.session.Group.ReadLog(tr, e.state.Version, 1)
	})
	if err != nil {
		return err
	}
	age, retention := groupview.Age(e.state.Version-e.state.Oldest), e.state.Config.Retention
	switch {
	case log.Unreadable != nil:
		e.warn("a member that was away may read the whole group again", "start a member: it writes the mark again when it trims the log",
			"the mark up to which the log was trimmed cannot be read")
	case e.state.Oldest == 0:
		e.ok("the log is empty")
	case retention > 0 && age > 2*retention+retention/4:
		e.warn("no member trims the log, and it grows", "start a member, or find out why the members cannot trim it",
			"the log goes back %s, and is kept for %s", output.Age(age), retention)
	default:
		e.ok("the log goes back %s", output.Age(age))
	}
	return nil
}
