package simulation

import (
	"bytes"
	"slices"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// shadow is the database as the commit log describes it. The checks read it, so they do
// not depend on the reads of the engine.
type shadow struct {
	rows    []kv.KeyValue // by key
	version int64
}

var _ kv.ReadTransaction = (*shadow)(nil)

func (s *shadow) find(key []byte) (int, bool) {
	return slices.BinarySearchFunc(s.rows, key, func(row kv.KeyValue, key []byte) int { return bytes.Compare(row.Key, key) })
}

// apply applies the writes of a commit.
func (s *shadow) apply(e *memkv.LogEntry) {
	s.version = e.Version
	for i := range e.Mutations {
		m := &e.Mutations[i]
		at, found := s.find(m.Key)
		switch {
		case m.Kind == memkv.MutationClearRange:
			end, _ := s.find(m.Value)
			s.rows = slices.Delete(s.rows, at, max(at, end))
		case found:
			s.rows[at].Value = m.Value
		default:
			s.rows = slices.Insert(s.rows, at, kv.KeyValue{Key: m.Key, Value: m.Value})
		}
	}
}

// ready is a future with a value.
type ready[T any] struct{ value T }

func (r ready[T]) Get() (T, error) { return r.value, nil }

func (s *shadow) Get(key []byte) kv.Future[[]byte] {
	if at, found := s.find(key); found {
		return ready[[]byte]{s.rows[at].Value}
	}
	return ready[[]byte]{}
}

func (s *shadow) GetRange(begin, end []byte, opts kv.RangeOptions) kv.Future[[]kv.KeyValue] {
	from, _ := s.find(begin)
	to, _ := s.find(end)
	rows := slices.Clone(s.rows[from:max(from, to)])
	if opts.Reverse {
		slices.Reverse(rows)
	}
	if opts.Limit > 0 && len(rows) > opts.Limit {
		rows = rows[:opts.Limit]
	}
	return ready[[]kv.KeyValue]{rows}
}

func (s *shadow) GetReadVersion() kv.Future[int64] { return ready[int64]{s.version} }
func (s *shadow) Snapshot() kv.ReadTransaction     { return s }
