package memkv

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// prefix comes before each key of a history, as in the recording. Its length counts
// towards sizes.
const prefix = "recorded/"

// stampPlace is the placeholder for the versionstamp in a template.
const stampPlace = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// player runs the steps of one history on its own database, and formats the results
// like the recording.
type player struct {
	db    *DB
	now   time.Time
	trs   map[int]*played
	names *strings.Replacer // replaces known versionstamps with their names
	pairs []string
}

// played is one transaction of a history.
type played struct {
	tr      kv.OwnedTransaction
	stamp   kv.Future[[]byte]
	watches map[int]kv.Watch
}

func newPlayer() *player {
	p := &player{trs: map[int]*played{}, now: time.Unix(1_700_000_000, 0), names: strings.NewReplacer()}
	p.db = New(Options{
		Now:    func() time.Time { return p.now },
		Sleep:  func(_ context.Context, d time.Duration) error { p.now = p.now.Add(d); return nil },
		Jitter: func() float64 { return 0.5 },
	})
	return p
}

// play runs a step and returns its result, or nil if it has none. known is false
// for an operation that package kv does not have.
func (p *player) play(s step) (a *answer, known bool) {
	p.now = p.now.Add(time.Millisecond)
	if s.Op == "begin" {
		tr, err := p.db.CreateTransaction(context.Background())
		if err != nil {
			panic(err)
		}
		p.trs[s.T] = &played{tr: tr, watches: map[int]kv.Watch{}}
		return nil, true
	}
	if s.Op == "initial" {
		return nil, p.db.Transact(context.Background(), func(tr kv.Transaction) error {
			tr.Set(key(s.Key), []byte(s.Value))
			return nil
		}) == nil
	}
	if s.Op == "sleep_ms" {
		p.now = p.now.Add(time.Duration(s.N) * time.Millisecond)
		return nil, true
	}
	t := p.trs[s.T]
	if a, known = p.read(t, s); known {
		return a, true
	}
	if p.write(t.tr, s) {
		return nil, true
	}
	return p.finish(t, s)
}

func key(k string) []byte { return []byte(prefix + k) }

// read runs the operations that read.
func (p *player) read(t *played, s step) (*answer, bool) {
	var reader kv.ReadTransaction = t.tr
	if s.Snapshot {
		reader = t.tr.Snapshot()
	}
	switch s.Op {
	case "read_version":
		_, err := t.tr.GetReadVersion().Get()
		return outcome(err), true
	case "get":
		v, err := reader.Get(key(s.Key)).Get()
		if err != nil {
			return outcome(err), true
		}
		if v == nil {
			return &answer{Nil: true}, true
		}
		return &answer{Value: p.names.Replace(string(v))}, true
	case "range":
		rows, err := reader.GetRange(key(s.Key), key(s.End), kv.RangeOptions{Limit: s.Limit, Reverse: s.Reverse}).Get()
		if err != nil {
			return outcome(err), true
		}
		a := &answer{OK: true}
		for _, row := range rows {
			k := strings.TrimPrefix(string(row.Key), prefix)
			a.Rows = append(a.Rows, [2]string{p.names.Replace(k), p.names.Replace(string(row.Value))})
		}
		return a, true
	}
	return nil, false
}

// write runs the operations that return nothing.
func (p *player) write(tr kv.OwnedTransaction, s step) bool {
	switch s.Op {
	case "set":
		tr.Set(key(s.Key), []byte(s.Value))
	case "clear":
		tr.Clear(key(s.Key))
	case "clear_range":
		tr.ClearRange(key(s.Key), key(s.End))
	case "set_versionstamped_value":
		tr.SetVersionstampedValue(key(s.Key), template(s.Value, s.Post, s.Offset))
	case "set_versionstamped_key":
		tr.SetVersionstampedKey(template(prefix+s.Key, s.Post, len(prefix)+s.Offset), []byte(s.Value))
	case "read_conflict_key":
		_ = tr.AddReadConflictKey(key(s.Key))
	case "read_conflict_range":
		_ = tr.AddReadConflictRange(key(s.Key), key(s.End))
	case "write_conflict_key":
		_ = tr.AddWriteConflictKey(key(s.Key))
	case "set_sized":
		tr.Set([]byte(prefix+strings.Repeat("k", s.N-len(prefix))), make([]byte, s.Limit))
	case "set_many":
		for i := range s.N {
			tr.Set(key(fmt.Sprintf(s.Key, i)), make([]byte, s.Limit))
		}
	case "reset":
		tr.Reset()
	case "cancel":
		tr.Cancel()
	default:
		return false
	}
	return true
}

func template(before, after string, offset int) []byte {
	return binary.LittleEndian.AppendUint32([]byte(before+stampPlace+after), uint32(offset))
}

// finish runs commits, versionstamps and watches.
func (p *player) finish(t *played, s step) (*answer, bool) {
	switch s.Op {
	case "commit":
		err := t.tr.Commit()
		if err != nil {
			return outcome(err), true
		}
		version, err := t.tr.GetCommittedVersion()
		if err != nil {
			return outcome(err), true
		}
		return &answer{OK: true, ReadOnly: version == -1}, true
	case "on_error":
		return outcome(t.tr.OnError(kv.Error{Code: s.Code})), true
	case "want_versionstamp":
		t.stamp = t.tr.GetVersionstamp()
		return nil, true
	case "versionstamp":
		return p.versionstamp(t), true
	case "watch":
		t.watches[s.N] = t.tr.Watch(key(s.Key))
		return nil, true
	case "watch_state":
		return watchState(t.watches[s.N]), true
	}
	return nil, false
}

// versionstamp returns the result of a stamp that was requested before the commit,
// and gives it a name.
func (p *player) versionstamp(t *played) *answer {
	if pending, ok := t.stamp.(interface{ Ready() bool }); ok && !pending.Ready() {
		return &answer{Info: "pending"}
	}
	stamp, err := t.stamp.Get()
	if err != nil {
		return outcome(err)
	}
	name := fmt.Sprintf("<vs%d>", len(p.pairs)/2)
	p.pairs = append(p.pairs, string(stamp), name)
	p.names = strings.NewReplacer(p.pairs...)
	return &answer{Value: name}
}

func watchState(w kv.Watch) *answer {
	select {
	case <-w.Done():
		if err := w.Err(); err != nil {
			return outcome(err)
		}
		return &answer{OK: true, Info: "fired"}
	default:
		return &answer{Info: "pending"}
	}
}

// outcome returns the result of an operation that returns only an error.
func outcome(err error) *answer {
	if err == nil {
		return &answer{OK: true}
	}
	return &answer{Err: kv.CodeOf(err)}
}
