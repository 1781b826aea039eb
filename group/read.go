package group

import (
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Row is one record of a group: its config, or that of a member, shard, pin, request or drain.
type Row struct {
	Kind Kind
	// Name is the name of the shard or the id of the member. It is empty for the config.
	Name string
	// Removed says that there is no such record.
	Removed bool
	// Unreadable says why the record cannot be read (ErrInvalidState). Nil: it can.
	Unreadable error

	// One of these is set if the record can be read, as Kind says.
	Config  *Config
	Member  *Member
	Shard   *Shard
	Request *Request
	// Pin is the id of the member to which the shard is pinned.
	Pin string
}

// row reads a record.
func (g *Group) row(kind Kind, name string, value []byte) Row {
	row := Row{Kind: kind, Name: name}
	key := g.keys.of(kind, name)
	switch kind {
	case KindConfig:
		c, err := decodeConfig(key, value)
		row.Config, row.Unreadable = &c, err
	case KindMember:
		m, err := decodeMember(key, name, value)
		row.Member, row.Unreadable = &m, err
	case KindShard:
		s, err := decodeShard(key, name, value)
		row.Shard, row.Unreadable = &s, err
	case KindRequest:
		q, err := decodeRequest(key, value)
		row.Request, row.Unreadable = &q, err
	case KindPin:
		row.Pin, row.Unreadable = decodePin(key, value)
	case KindDrain: // its existence says all
	}
	if row.Unreadable != nil {
		row = Row{Kind: kind, Name: name, Unreadable: row.Unreadable}
	}
	return row
}

// Position is a place in the records of a group, in the order of a scan. The zero Position is
// the beginning.
type Position struct {
	Kind Kind
	// key is the last key before the place, without the prefix of its kind. It may be one of
	// others, so it may lie between the keys of two names.
	key string
}

// Passed reports whether the record of a name lies before the place, or would if it existed. A
// page that begins at one Position and ends at the next says all about the records that only the
// second one has passed: they are among its Rows, or they do not exist. If the scan is over, the
// page says all about the rest.
func (p *Position) Passed(kind Kind, name string) bool {
	return kind < p.Kind || kind == p.Kind && string(subspace.AppendString(nil, name)) <= p.key
}

// Page is a part of a scan.
type Page struct {
	Rows []Row
	// Version is the read version of the page.
	Version int64
	// Next is where the next page begins. If the scan is over, its Kind is 0.
	Next Position
}

// ScanPage returns the config and all members, shards, pins, requests and drains, page by page,
// in the order of their kinds. It reads by snapshot. A page has at most limit rows, or one if the
// limit is below 1. It may have fewer, since keys of others count. Each page has its own read
// version, so changes of the records that it has passed are in the log after that version.
func (g *Group) ScanPage(tr kv.ReadTransaction, from Position, limit int) (Page, error) {
	snapshot := tr.Snapshot()
	version := snapshot.GetReadVersion()
	page := Page{Next: from}
	page.Next.Kind = max(page.Next.Kind, KindConfig)
	left := max(limit, 1)
	if page.Next.Kind == KindConfig {
		value, err := snapshot.Get(g.keys.config).Get()
		if err != nil {
			return Page{}, err
		}
		if value != nil {
			page.Rows = append(page.Rows, g.row(KindConfig, "", value))
			left--
		}
		page.Next = Position{Kind: KindMember}
	}
	for page.Next.Kind <= KindDrain && left > 0 {
		read, err := g.scanKind(snapshot, &page, left)
		if err != nil {
			return Page{}, err
		}
		left -= read
	}
	if page.Next.Kind > KindDrain {
		page.Next = Position{}
	}
	var err error
	page.Version, err = version.Get()
	return page, err
}

// scanKind reads at most limit keys of the kind of the next position, and adds their rows. It
// returns how many keys it has read.
func (g *Group) scanKind(snapshot kv.ReadTransaction, page *Page, limit int) (int, error) {
	at := &page.Next
	prefix := g.keys.named[at.Kind]
	begin, end := record.Below(prefix, record.TextCode, record.AfterText)
	if at.key != "" {
		begin = append(append(record.Grow(prefix, len(at.key)+1), at.key...), 0)
	}
	rows, err := snapshot.GetRange(begin, end, kv.RangeOptions{Limit: limit}).Get()
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		if name, ok := nameIn(row.Key, prefix); ok {
			page.Rows = append(page.Rows, g.row(at.Kind, name, row.Value))
		}
	}
	if len(rows) == limit {
		at.key = string(rows[limit-1].Key[len(prefix):])
	} else {
		*at = Position{Kind: at.Kind + 1}
	}
	return len(rows), nil
}

// readAll returns all records of a kind.
func (g *Group) readAll(snapshot kv.ReadTransaction, kind Kind) ([]Row, error) {
	begin, end := record.Below(g.keys.named[kind], record.TextCode, record.AfterText)
	found, err := snapshot.GetRange(begin, end, kv.RangeOptions{}).Get()
	if err != nil {
		return nil, err
	}
	rows := make([]Row, 0, len(found))
	for _, row := range found {
		if name, ok := nameIn(row.Key, g.keys.named[kind]); ok {
			rows = append(rows, g.row(kind, name, row.Value))
		}
	}
	return rows, nil
}

// ReadBeats returns the newest heartbeats, by a snapshot read: of the given ids, or of all
// sessions if there are none. A heartbeat that cannot be read has only its ID and Value.
func (g *Group) ReadBeats(tr kv.ReadTransaction, ids ...string) ([]Beat, error) {
	snapshot := tr.Snapshot()
	if len(ids) == 0 {
		begin, end := record.Below(g.keys.beats, record.TextCode, record.AfterText)
		rows, err := snapshot.GetRange(begin, end, kv.RangeOptions{}).Get()
		if err != nil {
			return nil, err
		}
		beats := make([]Beat, 0, len(rows))
		for _, row := range rows {
			if id, ok := nameIn(row.Key, g.keys.beats); ok {
				beat, _ := decodeBeat(row.Key, id, row.Value)
				beats = append(beats, beat)
			}
		}
		return beats, nil
	}
	reads := make([]kv.Future[[]byte], len(ids))
	for i, id := range ids {
		reads[i] = snapshot.Get(g.keys.beat(id))
	}
	beats := make([]Beat, 0, len(ids))
	for i, id := range ids {
		value, err := reads[i].Get()
		if err != nil {
			return nil, err
		}
		if value != nil {
			beat, _ := decodeBeat(g.keys.beat(id), id, value)
			beats = append(beats, beat)
		}
	}
	return beats, nil
}
