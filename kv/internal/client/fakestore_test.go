package client

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// fakeStore is a store with one version that records its calls.
type fakeStore struct {
	mu      sync.Mutex
	data    map[string]string
	version int64
	waves   [][]string // the keys of each wave
	commits []Commit
	slept   []time.Duration
	now     time.Time

	// Hooks for the next calls; nil means the default.
	onRead   func(ctx context.Context) error
	onCommit func(ctx context.Context) error
	onSleep  func(ctx context.Context, d time.Duration) error
	onWatch  func(notify func(error)) error

	watches []fakeWatch
}

type fakeWatch struct {
	key, expected string
	present       bool
	version       int64
	notify        func(error)
	stopped       *bool
}

var _ Store = (*fakeStore)(nil)

func newFakeStore(rows ...string) *fakeStore {
	s := &fakeStore{data: map[string]string{}, version: 100, now: time.Unix(1000, 0)}
	for i := 0; i < len(rows); i += 2 {
		s.data[rows[i]] = rows[i+1]
	}
	return s
}

func (s *fakeStore) begin() *Transaction { return NewTransaction(context.Background(), s, Options{}) }

func (s *fakeStore) Read(ctx context.Context, version int64, wave []*Read) (int64, error) {
	if s.onRead != nil {
		if err := s.onRead(ctx); err != nil {
			return 0, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if version == 0 {
		version = s.version
	}
	keys := []string{}
	for _, r := range wave {
		keys = append(keys, string(r.Key))
		if r.End == nil {
			if v, ok := s.data[string(r.Key)]; ok {
				r.Value = []byte(v)
			}
			continue
		}
		names := slices.Sorted(maps.Keys(s.data))
		if r.Reverse {
			slices.Reverse(names)
		}
		for _, k := range names {
			if k >= string(r.Key) && k < string(r.End) && (r.Limit == 0 || len(r.Rows) < r.Limit) {
				r.Rows = append(r.Rows, kv.KeyValue{Key: []byte(k), Value: []byte(s.data[k])})
			}
		}
	}
	s.waves = append(s.waves, keys)
	return version, nil
}

func (s *fakeStore) Commit(ctx context.Context, c *Commit) (CommitResult, error) {
	if s.onCommit != nil {
		if err := s.onCommit(ctx); err != nil {
			return CommitResult{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version++
	kept := *c
	kept.ReadConflicts = slices.Clone(c.ReadConflicts)
	kept.WriteConflicts = slices.Clone(c.WriteConflicts)
	kept.Mutations = slices.Clone(c.Mutations)
	s.commits = append(s.commits, kept)
	for _, m := range c.Mutations {
		s.apply(m)
	}
	return CommitResult{Version: s.version, Batch: 7}, nil
}

func (s *fakeStore) apply(m Mutation) {
	stamp := CommitResult{Version: s.version, Batch: 7}.Stamp()
	key, value := bytes.Clone(m.Key), bytes.Clone(m.Value)
	switch m.Kind {
	case MutationSet:
	case MutationClearRange:
		maps.DeleteFunc(s.data, func(k, _ string) bool { return k >= string(m.Key) && k < string(m.Value) })
		return
	case MutationStampedKey:
		copy(key[m.Offset:], stamp[:])
	case MutationStampedValue:
		copy(value[m.Offset:], stamp[:])
	}
	s.data[string(key)] = string(value)
}

func (s *fakeStore) Watch(_ context.Context, key, expected []byte, version int64, notify func(error)) (func(), error) {
	if s.onWatch != nil {
		if err := s.onWatch(notify); err != nil {
			return nil, err
		}
	}
	stopped := new(bool)
	s.watches = append(s.watches, fakeWatch{string(key), string(expected), expected != nil, version, notify, stopped})
	return func() { *stopped = true }, nil
}

func (s *fakeStore) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *fakeStore) Sleep(ctx context.Context, d time.Duration) error {
	if s.onSleep != nil {
		return s.onSleep(ctx, d)
	}
	s.slept = append(s.slept, d)
	s.pass(d)
	return ctx.Err()
}

func (s *fakeStore) Jitter() float64 { return 0.5 }

func (s *fakeStore) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// show formats ranges. A range of one key is shown as the key.
func show(ranges []Range) []string {
	out := []string{}
	for _, r := range ranges {
		if string(r.End) == string(r.Begin)+"\x00" {
			out = append(out, string(r.Begin))
		} else {
			out = append(out, string(r.Begin)+".."+string(r.End))
		}
	}
	return out
}

// pairs formats rows.
func pairs(rows []kv.KeyValue) []string {
	out := []string{}
	for _, r := range rows {
		out = append(out, string(r.Key)+"="+string(r.Value))
	}
	return out
}

func stampedTemplate(before, after string, offset int) []byte {
	t := []byte(before + "0123456789" + after)
	return binary.LittleEndian.AppendUint32(t, uint32(offset))
}

func errCode(code int) kv.Error { return kv.Error{Code: code} }
