package group

import (
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
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
		r := record.Open("pin", key, value)
		row.Pin = r.Text()
		row.Unreadable = r.Close()
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
	// After is the last name before the place.
	After string
	// key is the last key before the place. It may be one of others.
	key string
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
// in the order of their kinds. It reads by snapshot. A page has about limit rows. Each page has
// its own read version, so changes between two pages are in the log after that version.
func (g *Group) ScanPage(tr kv.ReadTransaction, from Position, limit int) (Page, error) {
	snapshot := tr.Snapshot()
	version := snapshot.GetReadVersion()
	page := Page{Next: from}
	page.Next.Kind = max(page.Next.Kind, KindConfig)
	if page.Next.Kind == KindConfig {
		value, err := snapshot.Get(g.keys.config).Get()
		if err != nil {
			return Page{}, err
		}
		if value != nil {
			page.Rows = append(page.Rows, g.row(KindConfig, "", value))
		}
		page.Next.Kind++
	}
	for page.Next.Kind <= KindDrain && len(page.Rows) < limit {
		if err := g.scanKind(snapshot, &page, limit-len(page.Rows)); err != nil {
			return Page{}, err
		}
	}
	if page.Next.Kind > KindDrain {
		page.Next = Position{}
	}
	var err error
	page.Version, err = version.Get()
	return page, err
}

// scanKind adds at most limit rows of the kind of the next position.
func (g *Group) scanKind(snapshot kv.ReadTransaction, page *Page, limit int) error {
	at := &page.Next
	prefix := g.keys.named[at.Kind]
	begin, end := record.Below(prefix, record.TextCode, record.AfterText)
	if at.key != "" {
		begin = append([]byte(at.key), 0)
	}
	rows, err := snapshot.GetRange(begin, end, kv.RangeOptions{Limit: limit}).Get()
	if err != nil {
		return err
	}
	for _, row := range rows {
		at.key = string(row.Key)
		if name, ok := nameIn(row.Key, prefix); ok {
			page.Rows = append(page.Rows, g.row(at.Kind, name, row.Value))
			at.After = name
		}
	}
	if len(rows) < limit {
		*at = Position{Kind: at.Kind + 1}
	}
	return nil
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
