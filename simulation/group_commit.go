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
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// groupChecks is what the invariants of a group remember of the commit log.
type groupChecks struct {
	records    subspace.Subspace // of the group
	work       subspace.Subspace // of the fenced writes
	shadow     shadow
	rows       map[groupRecord]group.Row // as of the last commit, also those that cannot be read
	beats      map[string]storedBeat
	operations map[string]*groupOperation

	attempted map[uuid.UUID]bool // incarnations with which a process began to join
	joined    map[election.Identity]*groupProcess
	joinedAt  map[election.Identity]time.Duration // of those that were not ready since
	ended     map[election.Identity]bool          // sessions that have ended
	tampered  map[election.Identity]bool          // sessions whose records an operator damaged or restored
	readyFrom int64                               // the version since which some member may claim; 0: none may
	highest   map[string]uint64                   // the highest term of each shard
	holders   map[group.Token]struct{}            // all tenures
	began     map[string]time.Duration            // when the present tenure or vacancy of each shard began
	holdOffs  map[string]time.Duration            // when the last hold-off of each process ends, in true time
	settle    time.Duration                       // the shortest settle delay so far
	changedAt int64                               // the version of the last change of a record
	rawAt     int64                               // the version of the last change that is not in the log
	damaged   bool                                // an operator has damaged or restored records
	restored  map[election.Identity]bool          // the sessions at that time, if the last damage was that the database was restored

	preys   []prey // of the hunter
	calm    bool
	changes []groupChange  // since calm began
	counts  map[string]int // of heartbeats since calm began, by id

	tenures, fenced int
}

// groupRecord names a record.
type groupRecord struct {
	kind group.Kind
	name string
}

// storedBeat is a beat record, and when it was written.
type storedBeat struct {
	group.Beat
	at time.Duration
}

func newGroupChecks(space subspace.Subspace) groupChecks {
	return groupChecks{
		records: space.Sub("group"), work: space.Sub("work"), rows: map[groupRecord]group.Row{}, beats: map[string]storedBeat{},
		operations: map[string]*groupOperation{}, attempted: map[uuid.UUID]bool{}, joined: map[election.Identity]*groupProcess{},
		joinedAt: map[election.Identity]time.Duration{},
		ended:    map[election.Identity]bool{}, tampered: map[election.Identity]bool{}, highest: map[string]uint64{},
		holders: map[group.Token]struct{}{}, began: map[string]time.Duration{}, holdOffs: map[string]time.Duration{},
		counts: map[string]int{},
	}
}

// groupCommit is one commit of the log, and what it changed.
type groupCommit struct {
	entry    *memkv.LogEntry
	by       *groupProcess   // nil: not a process
	op       *groupOperation // nil: not an operation of a process
	raw      bool            // an operator who damages or restores records
	keys     groupKeys
	before   map[groupRecord]group.Row
	changes  []groupChange
	beats    []beatChange
	floor    uint64 // before the commit
	config   group.Config
	readable bool // the config before the commit
}

// groupChange is a change of one record. A row without a kind stands for no record.
type groupChange struct {
	groupRecord
	before, after group.Row
	by            string
}

type beatChange struct {
	id            string
	before, after storedBeat // without a Value: none
}

// groupKeys are the keys that a commit has written.
type groupKeys struct {
	records   []groupRecord
	beats     []string
	entries   []groupRecord // of the log
	shards    []string      // with fenced writes
	values    [][]byte      // of these
	bell      bool
	floor     bool
	trimmed   bool
	elsewhere []byte
}

var groupKinds = map[string]group.Kind{
	"group": group.KindConfig, "members": group.KindMember, "shards": group.KindShard, "pins": group.KindPin,
	"requests": group.KindRequest, "drains": group.KindDrain,
}

// note notes a key that a commit has written.
func (k *groupKeys) note(c *groupChecks, key, value []byte) {
	if r, ok := readerBelow(c.work, key); ok {
		k.shards, k.values = append(k.shards, r.Text()), append(k.values, value)
		return
	}
	r, ok := readerBelow(c.records, key)
	if !ok {
		k.elsewhere = key
		return
	}
	switch first := r.Text(); first {
	case "bell":
		k.bell = true
	case "floor":
		k.floor = true
	case "trimmed":
		k.trimmed = true
	case "beats":
		k.beats = append(k.beats, r.Text())
	case "log":
		_ = r.Versionstamp()
		entry := groupRecord{kind: group.Kind(r.Int64()), name: r.Text()}
		k.entries = append(k.entries, entry)
	default:
		kind, known := groupKinds[first]
		if !known {
			k.elsewhere = key
			return
		}
		one := groupRecord{kind: kind}
		if kind != group.KindConfig {
			one.name = r.Text()
		}
		k.records = append(k.records, one)
	}
}

func readerBelow(space subspace.Subspace, key []byte) (r subspace.Reader, below bool) {
	if !space.Contains(key) {
		return r, false
	}
	return space.Reader(key), true
}

// committed checks a commit.
func (w *groupWorld) committed(e memkv.LogEntry) {
	c := &groupCommit{entry: &e, by: w.clients[e.Client], op: w.operations[e.Label], before: w.rows, raw: e.Label == labelRaw || e.Label == labelLogged}
	w.mixNumbers(uint64(e.Version))
	for i := range e.Mutations {
		m := &e.Mutations[i]
		w.mixBytes(m.Key)
		w.mixBytes(m.Value)
		if m.Kind == memkv.MutationSet || w.single(m) {
			value := m.Value
			if m.Kind != memkv.MutationSet {
				value = nil
			}
			c.keys.note(&w.groupChecks, m.Key, value)
		}
	}
	c.floor = w.floor()
	c.config, c.readable = w.storedConfig()
	w.shadow.apply(&e)
	w.readRows(c)
	w.readBeats(c)
	if c.op != nil {
		c.op.commits++
	}
	if w.tracing {
		w.traceGroupCommit(c)
	}
	if c.raw {
		w.noteRaw(c)
	} else {
		w.checkGroupCommit(c)
	}
	w.noteGroupCommit(c)
}

// single reports whether a clear removes one key. Others cut the log.
func (w *groupWorld) single(m *memkv.Mutation) bool {
	return len(m.Value) == len(m.Key)+1 && bytes.Equal(m.Value[:len(m.Key)], m.Key)
}

// readRows reads the records again, and finds what has changed.
func (w *groupWorld) readRows(c *groupCommit) {
	if len(c.keys.records) == 0 && !c.raw {
		return
	}
	page, err := w.group.ScanPage(&w.shadow, group.Position{}, 1<<20)
	if err != nil {
		w.violated(invGroupLog, "the records cannot be read: %v", err)
		return
	}
	w.rows = make(map[groupRecord]group.Row, len(page.Rows))
	for i := range page.Rows {
		w.rows[groupRecord{page.Rows[i].Kind, page.Rows[i].Name}] = page.Rows[i]
	}
	touched := c.keys.records
	if c.raw {
		all := maps.Clone(w.rows)
		maps.Copy(all, c.before)
		touched = sortedRecords(all)
	}
	for _, one := range touched {
		before, after := c.before[one], w.rows[one]
		if !sameRow(&before, &after) {
			c.changes = append(c.changes, groupChange{one, before, after, c.entry.Client})
		}
	}
}

// readBeats reads the beats again that a commit has written.
func (w *groupWorld) readBeats(c *groupCommit) {
	ids := c.keys.beats
	if c.raw {
		ids = nil
		for _, h := range w.hosts {
			ids = append(ids, h.id)
		}
	}
	for _, id := range ids {
		change := beatChange{id: id, before: w.beats[id]}
		if found, _ := w.group.ReadBeats(&w.shadow, id); len(found) > 0 {
			change.after = storedBeat{found[0], w.now}
		}
		if change.after.Value == change.before.Value {
			continue
		}
		if w.beats[id] = change.after; change.after.Value == "" {
			delete(w.beats, id)
		}
		c.beats = append(c.beats, change)
	}
}

func (w *groupWorld) floor() uint64 {
	value, _ := w.shadow.Get(subspace.AppendString(w.records.Bytes(), "floor")).Get()
	if value == nil {
		return 0
	}
	r := subspace.NewReader(value)
	_ = r.Int64() // the format
	return r.Uint64()
}

// storedConfig returns the stored config, and whether it can be read.
func (w *groupWorld) storedConfig() (group.Config, bool) {
	row := w.rows[groupRecord{kind: group.KindConfig}]
	if row.Config == nil {
		return group.Config{}, false
	}
	return *row.Config, true
}

// member returns the member record of an id, or nil if there is none that can be read.
func memberIn(rows map[groupRecord]group.Row, id string) *group.Member {
	row := rows[groupRecord{group.KindMember, id}]
	return row.Member
}

// lives reports whether a session lives. A member whose record cannot be read counts as alive.
func livesIn(rows map[groupRecord]group.Row, session election.Identity) bool {
	row := rows[groupRecord{group.KindMember, session.ID}]
	return row.Kind != 0 && (row.Member == nil || row.Member.Identity == session)
}

// noteGroupCommit remembers what later checks need.
func (w *groupWorld) noteGroupCommit(c *groupCommit) {
	if len(c.changes) > 0 {
		w.changedAt = c.entry.Version
	}
	if config, ok := w.storedConfig(); ok && (w.settle == 0 || config.SettleDelay < w.settle) {
		w.settle = config.SettleDelay
	}
	for i := range c.changes {
		change := &c.changes[i]
		if w.calm {
			w.groupChecks.changes = append(w.groupChecks.changes, *change)
		}
		switch change.kind {
		case group.KindMember:
			w.noteReady(c.entry.Version)
			if !c.raw {
				w.noteMember(change)
			}
		case group.KindShard:
			w.noteShard(c, change)
		default:
		}
	}
	for i := range c.beats {
		if w.calm && c.beats[i].after.Value != "" {
			w.counts[c.beats[i].id]++
		}
	}
}

// noteReady notes since when some member may claim.
func (w *groupWorld) noteReady(version int64) {
	some := slices.ContainsFunc(sortedRecords(w.rows), func(one groupRecord) bool {
		m := w.rows[one].Member
		return m != nil && m.Ready() && !m.Draining
	})
	if w.readyFrom = cmp.Or(w.readyFrom, version); !some {
		w.readyFrom = 0
	}
}

func (w *groupWorld) noteMember(change *groupChange) {
	before, after := change.before.Member, change.after.Member
	if before != nil && (after == nil || after.Identity != before.Identity) && change.after.Unreadable == nil {
		w.ended[before.Identity] = true
		w.strike(before.Identity)
	}
}

func (w *groupWorld) noteShard(c *groupCommit, change *groupChange) {
	after := change.after.Shard
	if after == nil {
		return
	}
	w.began[change.name] = w.now
	w.highest[change.name] = max(w.highest[change.name], after.Term)
	if !after.Vacant() {
		w.holders[after.Token()] = struct{}{}
	}
	if c.op == nil || change.before.Shard == nil {
		return
	}
	switch before := change.before.Shard; {
	case c.entry.Late && c.op.what.Kind == membership.Claim:
		w.situation("late claim of a shard")
	case c.entry.Late && c.op.what.Kind == membership.Release:
		w.situation("late release of a shard")
	case c.op.what.Kind == membership.Release && !after.Vacant():
		w.situation("shard handed over: " + after.Reason.String())
	case c.op.what.Kind == membership.Claim && !before.Vacant():
		w.situation("shard claimed from an ended session")
	}
}
