package memkv

import (
	"context"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// session is the store of one transaction.
type session struct {
	db     *DB
	client *Client
	number uint64
	label  string

	counters sessionCounters
}

var (
	_ client.Store           = (*session)(nil)
	_ client.ReadOnlyCounter = (*session)(nil)
)

// Now implements client.Store.
func (s *session) Now() time.Time { return s.client.opts.Now() }

// Sleep implements client.Store.
func (s *session) Sleep(ctx context.Context, d time.Duration) error {
	return s.client.opts.Sleep(ctx, d)
}

// Jitter implements client.Store.
func (s *session) Jitter() float64 { return s.client.opts.Jitter() }

// Read implements client.Store.
func (s *session) Read(ctx context.Context, version int64, wave []*client.Read) (int64, error) {
	if s.db.hooks == nil {
		return s.read(version, wave)
	}
	kind := CallRead
	if len(wave) == 0 {
		kind = CallReadVersion
	}
	call := s.call(kind)
	call.Version, call.Reads = version, wave
	if err := s.before(ctx, call); err != nil {
		return 0, err
	}
	call.Version, call.Err = s.read(version, wave)
	if err := s.after(ctx, call); err != nil {
		return 0, err
	}
	return call.Version, call.Err
}

func (s *session) read(version int64, wave []*client.Read) (int64, error) {
	db, size := s.db, 0
	db.mu.Lock()
	newest := db.clock.advance(db.opts.Now(), 0)
	if version == 0 {
		version = newest
	}
	err := db.clock.check(version)
	if err == nil {
		for _, r := range wave {
			size += db.answer(r, version)
		}
	}
	db.mu.Unlock()
	s.countRead(len(wave), size)
	return version, err
}

// Commit implements client.Store.
func (s *session) Commit(ctx context.Context, c *client.Commit) (client.CommitResult, error) {
	if s.db.hooks == nil {
		result, _, err := s.apply(c, false)
		return result, err
	}
	call := s.call(CallCommit)
	call.Version, call.Commit = c.ReadVersion, c
	err := s.before(ctx, call)
	switch {
	case call.late != nil && err == nil:
		return client.CommitResult{}, kv.Error{Code: kv.CodeTransactionTimedOut, Committing: true}
	case err != nil:
		return client.CommitResult{}, err
	}
	var entry *LogEntry
	call.Result, entry, call.Err = s.apply(c, false)
	if err := s.after(ctx, call); err != nil {
		return client.CommitResult{}, err
	}
	s.db.acknowledged(entry)
	return call.Result, call.Err
}

// apply applies a commit and notifies the watches that it fires.
func (s *session) apply(c *client.Commit, late bool) (client.CommitResult, *LogEntry, error) {
	db := s.db
	db.mu.Lock()
	result, entry, err := db.apply(s, c)
	db.record(entry, late)
	fired := db.takeFired()
	db.mu.Unlock()
	s.countCommit(c, err)
	db.notifyFired(fired)
	return result, entry, err
}

// Watch implements client.Store.
func (s *session) Watch(ctx context.Context, key, expected []byte, _ int64, notify func(error)) (func(), error) {
	db := s.db
	w := &Watch{
		db: db, Client: s.client.name, Transaction: s.number, Label: s.label,
		Key: append([]byte{}, key...), expected: expected, notify: notify,
	}
	var call *Call
	if db.hooks != nil {
		call = s.call(CallWatch)
		call.Watch = w
		if err := s.before(ctx, call); err != nil {
			return nil, err
		}
	}
	db.mu.Lock()
	changed, err := db.addWatch(w)
	db.mu.Unlock()
	if call != nil {
		call.Err = err
		if failure := s.after(ctx, call); failure != nil {
			if err == nil {
				w.stop()
			}
			return nil, failure
		}
	}
	if err != nil {
		return nil, err
	}
	s.countWatch()
	if changed {
		db.notifyFired([]*Watch{w})
	}
	return w.stop, nil
}

// call returns the description of a call.
func (s *session) call(kind CallKind) *Call {
	return &Call{Kind: kind, Client: s.client.name, Transaction: s.number, Label: s.label, session: s}
}

func (s *session) before(ctx context.Context, call *Call) error {
	if s.db.hooks.Before == nil {
		return nil
	}
	if err := s.db.hooks.Before(ctx, call); err != nil {
		return hookError(err, call.Kind)
	}
	return nil
}

func (s *session) after(ctx context.Context, call *Call) error {
	if s.db.hooks.After == nil {
		return nil
	}
	if err := s.db.hooks.After(ctx, call); err != nil {
		return hookError(err, call.Kind)
	}
	return nil
}
