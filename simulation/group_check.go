package simulation

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/kv"
)

// checkGroupCommit runs every check of the commit log.
func (w *groupWorld) checkGroupCommit(c *groupCommit) {
	w.checkGroupFence(c)
	w.checkGroupWrites(c)
	w.checkGroupLog(c)
	w.checkSessions(c)
	for i := range c.beats {
		w.checkEviction(c, &c.beats[i])
	}
	for i := range c.changes {
		if change := &c.changes[i]; change.kind == group.KindShard {
			w.checkShard(c, change)
		}
	}
}

// who is the client and the label of a commit, for messages.
func (c *groupCommit) who() string { return c.entry.Client + " (" + c.entry.Label + ")" }

// kind is the kind of the operation, or 0.
func (c *groupCommit) kind() membership.Kind {
	if c.op == nil {
		return 0
	}
	return c.op.what.Kind
}

// checkGroupFence is invariant 34: a fenced write commits only under the newest tenure.
func (w *groupWorld) checkGroupFence(c *groupCommit) {
	for i, name := range c.keys.shards {
		row := c.before[groupRecord{group.KindShard, name}]
		s := row.Shard
		if s == nil || s.Vacant() || !bytes.Equal(fencedBy(s.Token()), c.keys.values[i]) {
			w.violated(invGroupFence, "%s wrote under %q, the shard is %v", c.who(), c.keys.values[i], s)
		}
	}
}

// checkGroupWrites is a part of invariant 41: each operation writes only its own records.
func (w *groupWorld) checkGroupWrites(c *groupCommit) {
	if c.keys.elsewhere != nil {
		w.violated(invGroupLog, "%s wrote %q, which is not a record", c.who(), c.keys.elsewhere)
	}
	if c.by == nil {
		return
	}
	if c.by.host.observer {
		w.violated(invGroupLog, "%s only observes, and wrote", c.who())
	}
	if c.op == nil {
		return // its work
	}
	op := &c.op.what
	for _, id := range c.keys.beats {
		own := id == c.by.host.id && (op.Kind == membership.Join || op.Kind == membership.Heartbeat || op.Kind == membership.LeaveGroup)
		if !own && (op.Kind != membership.Evict || id != op.Seen.ID) {
			w.violated(invGroupLog, "%s: %s wrote the heartbeat of %s", c.who(), op.Kind, id)
		}
	}
	for _, one := range c.keys.records {
		if !mayWrite(c.by.host.id, op, one) {
			w.violated(invGroupLog, "%s: %s wrote %v", c.who(), op.Kind, one)
		}
	}
}

// mayWrite reports whether an operation may write a record.
func mayWrite(id string, op *membership.Operation, one groupRecord) bool {
	switch one.kind {
	case group.KindMember:
		switch op.Kind {
		case membership.Join, membership.Update, membership.LeaveGroup:
			return one.name == id
		case membership.Evict:
			return one.name == op.Seen.ID
		default:
			return false
		}
	case group.KindShard:
		return op.Kind == membership.Release || op.Kind == membership.Claim || op.Kind == membership.Remove
	case group.KindPin, group.KindRequest:
		return op.Kind == membership.Release || op.Kind == membership.Remove
	default:
		return false
	}
}

// checkGroupLog is a part of invariant 41: the log has one entry for each record that a commit
// writes, which says what the record is then, and the bell rings.
func (w *groupWorld) checkGroupLog(c *groupCommit) {
	records := slices.Clone(c.keys.records)
	entries := slices.Clone(c.keys.entries)
	slices.SortFunc(records, compareRecords)
	slices.SortFunc(entries, compareRecords)
	if records, entries = slices.Compact(records), slices.Compact(entries); !slices.Equal(records, entries) {
		w.violated(invGroupLog, "%s wrote %v, and the log says %v", c.who(), records, entries)
	}
	if c.keys.bell != (len(entries) > 0) {
		w.violated(invGroupLog, "%s wrote %v, the bell: %v", c.who(), records, c.keys.bell)
	}
	if len(entries) == 0 {
		return
	}
	log, err := w.group.ReadLog(&w.shadow, c.entry.Version-1, 1<<20)
	if err != nil {
		w.violated(invGroupLog, "the log cannot be read: %v", err)
		return
	}
	for i := range log.Changes {
		change := &log.Changes[i]
		now := w.rows[groupRecord{change.Kind, change.Name}]
		if now.Kind == 0 {
			now = group.Row{Kind: change.Kind, Name: change.Name, Removed: true}
		}
		if change.Version() == c.entry.Version && !sameRow(&change.Row, &now) {
			w.violated(invGroupLog, "%s wrote %v, and the log says %v", c.who(), now, change.Row)
		}
	}
}

// checkSessions is invariant 36: each incarnation joins once, and a session that has ended
// writes nothing.
func (w *groupWorld) checkSessions(c *groupCommit) {
	for i := range c.beats {
		change := &c.beats[i]
		member := c.before[groupRecord{group.KindMember, change.id}]
		switch now := change.after; {
		case now.Value == "":
		case c.kind() == membership.Join:
			w.checkJoin(c, now.Identity)
		case c.kind() != membership.Heartbeat, now.Identity != c.op.what.Me, change.before.Identity != now.Identity:
			w.violated(invGroupSession, "%s wrote a heartbeat of %s over one of %s", c.who(), now.Identity, change.before.Identity)
		case change.before.Counter < c.op.what.Least:
			w.violated(invGroupSession, "%s wrote a heartbeat over one that went back", c.who())
		case now.Counter != change.before.Counter+1:
			w.violated(invGroupSession, "%s wrote heartbeat %d after %d", c.who(), now.Counter, change.before.Counter)
		case w.ended[now.Identity], (member.Member == nil || member.Member.Identity != now.Identity) && !w.tampered[now.Identity]:
			w.violated(invGroupSession, "%s wrote a heartbeat of %s, whose session has ended", c.who(), now.Identity)
		}
	}
	switch c.kind() {
	case membership.Update, membership.Release, membership.Claim, membership.Evict:
		if m := memberIn(c.before, c.op.what.Me.ID); len(c.changes) > 0 && (m == nil || m.Identity != c.op.what.Me) {
			w.violated(invGroupSession, "%s: %s of %s, whose session has ended", c.who(), c.op.what.Kind, c.op.what.Me)
		}
	default:
	}
	for i := range c.changes {
		change := &c.changes[i]
		if m := change.after.Member; change.kind == group.KindMember && m != nil {
			beat := w.beats[change.name]
			if beat.Identity != m.Identity && !w.tampered[m.Identity] {
				w.violated(invGroupSession, "%s wrote the member record of %s, the heartbeat is of %s", c.who(), m.Identity, beat.Identity)
			}
			w.checkSettledIn(c, m)
		}
	}
}

// checkJoin checks a commit that begins a session. It is a part of invariants 36 and 37.
func (w *groupWorld) checkJoin(c *groupCommit, now election.Identity) {
	if w.joined[now] != nil || w.ended[now] {
		w.violated(invGroupSession, "%s joined again", now)
	}
	w.joined[now], w.joinedAt[now] = c.by, w.now
	if c.by.left {
		w.violated(invGroupSession, "%s joined, and its process has left", now)
	}
	if row := w.rows[groupRecord{group.KindMember, now.ID}]; row.Member == nil || row.Member.Ready() {
		w.violated(invGroupSession, "%s joined, and its record is %v", now, row.Member)
	}
	for name, r := range c.by.runs {
		if r.token.Identity != now && c.by.uses(r) {
			w.violated(invGroupSession, "%s joined, and its work on %s uses the lease of %s", now, name, r.token)
		}
	}
}

// checkSettledIn is a part of invariant 39: a member turns ready after the settle delay.
func (w *groupWorld) checkSettledIn(c *groupCommit, m *group.Member) {
	joined, isNew := w.joinedAt[m.Identity]
	if !isNew || !m.Ready() || c.by == nil {
		return
	}
	delete(w.joinedAt, m.Identity)
	if passed := c.by.clocks.scaled(w.now - joined); passed < w.settle {
		w.violated(invGroupClaim, "%s turned ready %s after it joined, the settle delay is %s", m.Identity, passed, w.settle)
	}
}

// checkEviction is invariant 37: a session is ended by another process only if its heartbeat
// stood still for its lease, on the clock of that process.
func (w *groupWorld) checkEviction(c *groupCommit, change *beatChange) {
	before := change.before
	damaged := before.Incarnation == uuid.Nil
	if before.Value == "" || damaged || w.tampered[before.Identity] || change.after.Identity == before.Identity && change.after.Value != "" {
		return
	}
	switch c.kind() {
	case membership.LeaveGroup:
		if c.by != w.joined[before.Identity] {
			w.violated(invGroupEviction, "%s ended the session of %s", c.who(), before.Identity)
		}
		w.checkEmpty(c, before.Identity)
		return
	case membership.Join:
		if c.by == w.joined[before.Identity] {
			return
		}
	case membership.Evict:
		if c.by == w.joined[before.Identity] {
			w.violated(invGroupEviction, "%s evicted itself", c.who())
		}
		if before.Value != c.op.what.Seen.Value {
			w.violated(invGroupEviction, "%s evicted %s by another heartbeat", c.who(), before.Identity)
		}
	default:
		w.violated(invGroupEviction, "%s ended the session of %s", c.who(), before.Identity)
		return
	}
	if stood := c.by.clocks.scaled(w.now - before.at); stood < before.Lease {
		w.violated(invGroupEviction, "%s evicted %s, whose heartbeat stood for %s of %s", c.who(), before.Identity, stood, before.Lease)
	}
	w.situation("session evicted")
	if p := w.joined[before.Identity]; p != nil && p.alive {
		w.situation("session of a live process evicted")
	}
}

// checkEmpty is a part of invariant 38: a member that leaves has given up all of its shards.
func (w *groupWorld) checkEmpty(c *groupCommit, session election.Identity) {
	for _, one := range sortedRecords(w.rows) {
		row := w.rows[one]
		if row.Shard != nil && row.Shard.Leader == session {
			w.violated(invGroupOwner, "%s left the group, and leads %s", c.who(), row.Shard)
		}
	}
}

func compareRecords(a, b groupRecord) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
}

func sortedRecords(rows map[groupRecord]group.Row) []groupRecord {
	return slices.SortedFunc(maps.Keys(rows), compareRecords)
}

// sameRow reports whether two rows say the same.
func sameRow(a, b *group.Row) bool {
	if a.Kind != b.Kind || a.Name != b.Name || a.Removed != b.Removed || (a.Unreadable != nil) != (b.Unreadable != nil) || a.Pin != b.Pin {
		return false
	}
	if a.Member == nil || b.Member == nil {
		return a.Member == b.Member && same(a.Config, b.Config) && sameShard(a.Shard, b.Shard) && same(a.Request, b.Request)
	}
	return a.Member.Equal(b.Member)
}

func same[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func sameShard(a, b *group.Shard) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	x.At, y.At = time.Time{}, time.Time{}
	return x == y && a.At.Equal(b.At)
}

// checkGroupAttempt is a part of invariant 36: no attempt to join uses an incarnation again.
func (w *groupWorld) checkGroupAttempt(p *groupProcess, e membership.Event) {
	starting, ok := e.(membership.AttemptStarting)
	if !ok || p.machine.State() != membership.StateJoining || p.running[starting.Op] == nil || p.running[starting.Op].what.Kind != membership.Join {
		return
	}
	if w.attempted[starting.Incarnation] || starting.Incarnation == uuid.Nil {
		w.violated(invGroupSession, "%s joins with incarnation %s again", p.name, starting.Incarnation)
	}
	w.attempted[starting.Incarnation] = true
}

// checkGroupAnswer is invariant 48: what an operation has surely done is in the log, and what has
// surely failed is not.
func (w *groupWorld) checkGroupAnswer(op *groupOperation, a *membership.Answer) {
	if a.Err != nil && kv.OutcomeOf(a.Err) == kv.NotCommitted && op.commits > 0 && op.task.lost == 0 && op.task.ctx.err == nil {
		w.violated(invGroupOutcome, "%s: %s surely failed (%v), but is in the log", op.process.name, op.what.Kind, a.Err)
	}
	if a.Err != nil || a.Version == 0 {
		return
	}
	for i := range a.Outcomes {
		o := &a.Outcomes[i]
		if o.Err == nil && !o.Removed && !o.Shard.Vacant() {
			if _, exists := w.holders[o.Shard.Token()]; !exists && !w.damaged {
				w.violated(invGroupOutcome, "%s: %s says %s, which never was", op.process.name, op.what.Kind, o.Shard.String())
			}
		}
	}
}
