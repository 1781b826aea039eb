// Package mirror is a copy of the records of a group in memory. It begins with a scan, page by
// page, and then follows the log of changes (rule 10 of docs/group.md). It does no I/O.
package mirror

import (
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/balance"
)

// Mirror is the copy. The zero Mirror has read nothing. It is not safe for concurrent use.
type Mirror struct {
	config   item
	named    [group.KindDrain + 1]map[string]*item // of members, pins, requests and drains
	shards   map[string]*Shard
	order    []*Shard          // the shards by rank, if it is not nil
	ids      map[string]string // one copy of each id of a leader
	faults   map[record]error  // of the records that cannot be read
	scan     scan
	cursor   int64 // all changes up to this version are known
	complete bool
	changed  func(group.Kind, string)
}

// record names a record.
type record struct {
	kind group.Kind
	name string
}

// item is a record and the version as of which it is known.
type item struct {
	row     group.Row
	version int64
	scan    uint32
}

// Shard is a shard record in a mirror.
type Shard struct {
	group.Shard
	// Unreadable says why the record cannot be read. Then only the name is known.
	Unreadable error
	Rank       uint64

	version int64
	scan    uint32
}

// scan is the present scan, or the last one.
type scan struct {
	number uint32
	next   group.Position
	over   bool
	// first and last are the versions of the first page and of the last one. last is 0 again when
	// the log is known up to that page.
	first, last int64
}

// New returns a mirror that calls changed for each record that changes. changed may be nil.
func New(changed func(kind group.Kind, name string)) *Mirror {
	m := &Mirror{shards: make(map[string]*Shard), ids: make(map[string]string), faults: make(map[record]error), changed: changed, scan: scan{number: 1}}
	for kind := range m.named {
		m.named[kind] = make(map[string]*item)
	}
	return m
}

// Complete reports whether the mirror has known all records at some version. It stays so
// while the mirror is scanned again.
func (m *Mirror) Complete() bool { return m.complete }

// Version returns the version up to which all changes are known, or 0 if the mirror is not
// complete or is being scanned again.
func (m *Mirror) Version() int64 {
	if !m.scan.over || m.scan.last > 0 {
		return 0
	}
	return m.cursor
}

// Next returns the position of the next page to read. If it returns false, read the log after
// Cursor instead.
func (m *Mirror) Next() (group.Position, bool) { return m.scan.next, !m.scan.over }

// Cursor returns the version after which the log is read next.
func (m *Mirror) Cursor() int64 { return m.cursor }

// AddPage adds the page that was read at Next.
func (m *Mirror) AddPage(p *group.Page) {
	if m.scan.last == 0 {
		m.scan.first, m.cursor = p.Version, p.Version // the log is read from the first page on
	}
	for i := range p.Rows {
		m.apply(&p.Rows[i], p.Version, true)
	}
	m.scan.last, m.scan.next = p.Version, p.Next
	if p.Next.Kind == 0 {
		m.scan.over = true
		m.sweep()
	}
}

// sweep removes what the scan has not found.
func (m *Mirror) sweep() {
	gone := func(number uint32, version int64) bool { return number != m.scan.number && version <= m.scan.first }
	for kind, items := range m.named {
		for name, it := range items {
			if gone(it.scan, it.version) {
				m.remove(group.Kind(kind), name)
			}
		}
	}
	for name, s := range m.shards {
		if gone(s.scan, s.version) {
			m.remove(group.KindShard, name)
		}
	}
	if m.config.row.Kind != 0 && gone(m.config.scan, m.config.version) {
		m.remove(group.KindConfig, "")
	}
}

// AddChanges adds what was read from the log after Cursor. It reports whether the mirror is to
// be scanned again.
func (m *Mirror) AddChanges(c *group.Changes) (again bool) {
	if c.Trimmed {
		m.restart(c.Version < m.cursor)
		return true
	}
	for i := range c.Changes {
		change := &c.Changes[i]
		m.apply(&change.Row, change.Version(), false)
	}
	m.cursor = c.Version
	if m.scan.last > 0 && m.cursor >= m.scan.last && !c.More {
		m.scan.last, m.complete = 0, true
	}
	return false
}

// Rescan begins another scan, which finds records that were changed without the log.
func (m *Mirror) Rescan() { m.restart(false) }

// restart begins another scan. If versions went back, the database was restored, and what is
// known says nothing about what is read now.
func (m *Mirror) restart(wentBack bool) {
	m.scan = scan{number: m.scan.number + 1}
	if !wentBack {
		return
	}
	m.config.version = 0
	for _, items := range m.named {
		for _, it := range items {
			it.version = 0
		}
	}
	for _, s := range m.shards {
		s.version = 0
	}
}

// Apply adds a record that this process has written or read itself, as of a version.
func (m *Mirror) Apply(row group.Row, version int64) { m.apply(&row, version, false) }

// apply adds a record, unless a newer one is known. scanned says that the scan found it.
func (m *Mirror) apply(row *group.Row, version int64, scanned bool) {
	known, exists := m.versionOf(row.Kind, row.Name)
	if scanned && exists {
		m.mark(row.Kind, row.Name)
	}
	switch {
	case exists && version < known, exists && version == known && !scanned:
		return
	case !exists && !scanned && version <= m.cursor: // it was removed since
		return
	case row.Removed:
		m.remove(row.Kind, row.Name)
		return
	}
	scan := uint32(0) // what the scan has not found is removed at its end, unless it is newer
	if scanned {
		scan = m.scan.number
	}
	m.set(row, version, scan)
}

// versionOf returns the version as of which a record is known.
func (m *Mirror) versionOf(kind group.Kind, name string) (int64, bool) {
	switch kind {
	case group.KindConfig:
		return m.config.version, m.config.row.Kind != 0
	case group.KindShard:
		if s := m.shards[name]; s != nil {
			return s.version, true
		}
	default:
		if it := m.named[kind][name]; it != nil {
			return it.version, true
		}
	}
	return 0, false
}

// mark notes that the present scan has found a record.
func (m *Mirror) mark(kind group.Kind, name string) {
	switch kind {
	case group.KindConfig:
		m.config.scan = m.scan.number
	case group.KindShard:
		m.shards[name].scan = m.scan.number
	default:
		m.named[kind][name].scan = m.scan.number
	}
}

func (m *Mirror) set(row *group.Row, version int64, scan uint32) {
	if row.Unreadable != nil {
		m.faults[record{row.Kind, row.Name}] = row.Unreadable
	} else if len(m.faults) > 0 {
		delete(m.faults, record{row.Kind, row.Name})
	}
	switch row.Kind {
	case group.KindConfig:
		m.config = item{*row, version, scan}
	case group.KindShard:
		if !m.setShard(row, version, scan) {
			return
		}
	default:
		m.named[row.Kind][row.Name] = &item{*row, version, scan}
	}
	m.tell(row.Kind, row.Name)
}

// setShard reports whether the record has changed.
func (m *Mirror) setShard(row *group.Row, version int64, scan uint32) bool {
	s := m.shards[row.Name]
	if s == nil {
		s = &Shard{Rank: balance.Rank(row.Name)}
		m.shards[row.Name], m.order = s, nil
	}
	next := group.Shard{Name: row.Name}
	if row.Shard != nil {
		next = *row.Shard
	}
	same := s.Shard == next && s.Unreadable == nil && row.Unreadable == nil
	next.Leader.ID = m.shared(next.Leader.ID)
	s.Shard, s.Unreadable = next, row.Unreadable
	s.version, s.scan = version, scan
	return !same
}

// shared returns an id that shares its memory with all equal ones.
func (m *Mirror) shared(id string) string {
	if one, ok := m.ids[id]; ok {
		return one
	}
	const most = 4096 // ids of past members stay until then
	if len(m.ids) >= most {
		clear(m.ids)
	}
	m.ids[id] = id
	return id
}

func (m *Mirror) remove(kind group.Kind, name string) {
	delete(m.faults, record{kind, name})
	switch kind {
	case group.KindConfig:
		m.config = item{}
	case group.KindShard:
		if m.shards[name] == nil {
			return
		}
		delete(m.shards, name)
		m.order = nil
	default:
		if m.named[kind][name] == nil {
			return
		}
		delete(m.named[kind], name)
	}
	m.tell(kind, name)
}

func (m *Mirror) tell(kind group.Kind, name string) {
	if m.changed != nil {
		m.changed(kind, name)
	}
}

// Free reports whether a shard has no leader whose session lives.
func (m *Mirror) Free(s *Shard) bool { return s.Unreadable == nil && !m.Lives(s.Leader) }

// Lives reports whether a session lives, as far as the mirror knows. A member whose record
// cannot be read counts as alive.
func (m *Mirror) Lives(session election.Identity) bool {
	it := m.named[group.KindMember][session.ID]
	return it != nil && (it.row.Member == nil || it.row.Member.Identity == session)
}
