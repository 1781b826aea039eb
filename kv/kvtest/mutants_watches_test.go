package kvtest_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/kvtest"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// fixedWatch is a watch with a fixed state.
type fixedWatch struct {
	kv.Watch
	done chan struct{}
	err  error
}

func (s fixedWatch) Done() <-chan struct{} { return s.done }
func (s fixedWatch) Err() error            { return s.err }

// fired returns a closed channel.
func fired() chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

// watchWithoutErr is a watch that never returns an error.
type watchWithoutErr struct{ kv.Watch }

func (watchWithoutErr) Err() error { return nil }

// watchWithEarlyErr is a watch that returns an error while it is pending.
type watchWithEarlyErr struct{ kv.Watch }

func (n watchWithEarlyErr) Err() error {
	if err := n.Watch.Err(); err != nil {
		return err
	}
	return kv.Error{Code: kv.CodeWatchCancelled}
}

// watchWithCode is a watch whose errors have a fixed code.
type watchWithCode struct {
	kv.Watch
	code int
}

func (c watchWithCode) Err() error {
	if c.Watch.Err() != nil {
		return kv.Error{Code: c.code}
	}
	return nil
}

// changeWatch returns a mutant of Watch.
func changeWatch(change func(h *hooked, key []byte) kv.Watch) func(h *hooked) {
	return func(h *hooked) {
		h.watch = func(key []byte) kv.Watch { return change(h, key) }
	}
}

// watchMutants are faults of watches.
var watchMutants = []mutant{
	{name: "watches never fire", killedBy: "Watch/Set", change: changeWatch(func(h *hooked, key []byte) kv.Watch {
		return fixedWatch{Watch: h.OwnedTransaction.Watch(key), done: make(chan struct{})}
	})},
	{name: "watches fire at once", killedBy: "Watch/OtherKey", change: changeWatch(func(h *hooked, key []byte) kv.Watch {
		return fixedWatch{Watch: h.OwnedTransaction.Watch(key), done: fired()}
	})},
	{name: "watches fire for any write of the key", killedBy: "Watch/SameValue", change: func(h *hooked) {
		// Commit another value first, so that the key changes.
		h.set = func(key, value []byte) {
			apply(h.db, func(tr kv.Transaction) { tr.Set(key, append([]byte("not "), value...)) })
			h.OwnedTransaction.Set(key, value)
		}
	}},
	{name: "watches fire for a clear of an absent key", killedBy: "Watch/ClearOfAbsent", change: func(h *hooked) {
		h.clear = func(key []byte) {
			apply(h.db, func(tr kv.Transaction) { tr.Set(key, []byte("for a moment")) })
			h.OwnedTransaction.Clear(key)
		}
	}},
	{name: "watches fire for write conflicts", killedBy: "Watch/WriteConflictKey", change: func(h *hooked) {
		h.addWrite = func(begin, end []byte) error {
			apply(h.db, func(tr kv.Transaction) { tr.Clear(begin) })
			return h.OwnedTransaction.AddWriteConflictRange(begin, end)
		}
	}},
	{name: "watches do not fire for own changes", killedBy: "Watch/OwnLaterChange", change: changeWatch(func(h *hooked, key []byte) kv.Watch {
		other, _ := h.db.CreateTransaction(context.Background())
		_, _ = other.Get(key).Get()
		watch := h.OwnedTransaction.Watch(key)
		h.set = func(written, value []byte) {
			if !bytes.Equal(written, key) {
				h.OwnedTransaction.Set(written, value)
			}
		}
		return watch
	})},
	{name: "watches fire for own earlier changes", killedBy: "Watch/OwnEarlierChange", change: func(h *hooked) {
		h.set = func(key, value []byte) {
			h.watch = func([]byte) kv.Watch {
				return fixedWatch{Watch: h.OwnedTransaction.Watch(key), done: fired()}
			}
			h.OwnedTransaction.Set(key, value)
		}
	}},
	{name: "watches are active before the commit", killedBy: "Watch/NotBeforeTheCommit", change: changeWatch(func(h *hooked, key []byte) kv.Watch {
		var watch kv.Watch
		apply(h.db, func(tr kv.Transaction) { watch = tr.Watch(key) })
		h.OwnedTransaction.Watch(key)
		return watch
	})},
	{name: "watches add no read conflict", killedBy: "Watch/IsASerialisableRead", change: changeWatch(func(h *hooked, key []byte) kv.Watch {
		other, _ := h.db.CreateTransaction(context.Background())
		watch := other.Watch(key)
		h.commit = func() error {
			err := h.OwnedTransaction.Commit()
			if err == nil {
				_ = other.Commit()
			}
			return err
		}
		return watch
	})},
	{name: "a key has only one watch", killedBy: "Watch/AllWatchesOfAKey", store: func(s *kvtest.Store) {
		last := map[string]kv.Watch{}
		*s = hook(*s, changeWatch(func(h *hooked, key []byte) kv.Watch {
			if before := last[string(key)]; before != nil {
				before.Cancel()
			}
			last[string(key)] = h.OwnedTransaction.Watch(key)
			return last[string(key)]
		}))
	}},
	{name: "a watch cancels the previous one of its transaction", killedBy: "Watch/SeveralOfOneTransaction", change: func(h *hooked) {
		var last kv.Watch
		h.watch = func(key []byte) kv.Watch {
			if last != nil {
				last.Cancel()
			}
			last = h.OwnedTransaction.Watch(key)
			return last
		}
	}},
	{name: "watches end with their transaction", killedBy: "Watch/OutlivesItsTransaction", change: func(h *hooked) {
		var watches []kv.Watch
		h.watch = func(key []byte) kv.Watch {
			watches = append(watches, h.OwnedTransaction.Watch(key))
			return watches[len(watches)-1]
		}
		end := func(inner func()) func() {
			return func() {
				for _, watch := range watches {
					watch.Cancel()
				}
				inner()
			}
		}
		h.reset, h.cancel = end(h.OwnedTransaction.Reset), end(h.OwnedTransaction.Cancel)
	}},
	{name: "watches return no error", killedBy: "WatchFailure/Cancel", change: changeWatch(func(h *hooked, key []byte) kv.Watch {
		return watchWithoutErr{h.OwnedTransaction.Watch(key)}
	})},
	{name: "watches return an error while they are pending", killedBy: "Watch/ErrBeforeDone", change: changeWatch(func(h *hooked, key []byte) kv.Watch {
		return watchWithEarlyErr{h.OwnedTransaction.Watch(key)}
	})},
	{name: "all watches fail with 1025", killedBy: "WatchFailure/CommitConflicts", change: changeWatch(func(h *hooked, key []byte) kv.Watch {
		return watchWithCode{h.OwnedTransaction.Watch(key), kv.CodeTransactionCancelled}
	})},
	{name: "all watches fail with 1029", killedBy: "WatchFailure/Reset", change: changeWatch(func(h *hooked, key []byte) kv.Watch {
		return watchWithCode{h.OwnedTransaction.Watch(key), kv.CodeWatchCancelled}
	})},
}

// engineMutants are faults of the engine and of its handles.
var engineMutants = []mutant{
	{name: "old versions are kept too long", killedBy: "TooOldAtRead/EveryKindOfRead", options: func(o *memkv.Options) { o.Window = 1e9 }},
	{name: "old versions are dropped too early", killedBy: "TooOldAtCommit/NotYet", options: func(o *memkv.Options) { o.Window = 1e6 }},
	{name: "only the newest version is kept", killedBy: "Isolation/NoWriteSkew", options: func(o *memkv.Options) { o.Window = -1 }},
	{name: "the watch limit is too low", killedBy: "WatchFailure/TooMany", options: func(o *memkv.Options) { o.MaxWatches = 100 }},
	{name: "the watch limit is too high", killedBy: "WatchFailure/TooMany", options: func(o *memkv.Options) { o.MaxWatches = 1e6 }},
	{name: "the size limit is too high", killedBy: "Limits/ConflictRangesCount", options: func(o *memkv.Options) { o.SizeLimit = 1e9 }},
	{name: "the size limit is too low", killedBy: "Limits/LargeTransaction", options: func(o *memkv.Options) { o.SizeLimit = 1e6 }},
	{name: "the clock stands still", killedBy: "Versions/FollowTheClock", options: func(o *memkv.Options) {
		o.Now = func() time.Time { return time.Unix(0, 0) }
	}},
	{name: "the clock runs backwards", killedBy: "Versions/FollowTheClock", options: func(o *memkv.Options) {
		now := o.Now
		o.Now = func() time.Time { return time.Unix(0, 0).Add(-time.Duration(now().UnixNano())) }
	}},
	{name: "the maximum back-off is too short", killedBy: "OnErrorBackoff/Doubles", options: func(o *memkv.Options) {
		wait := o.Sleep
		o.Sleep = func(ctx context.Context, d time.Duration) error { return wait(ctx, min(d, 100*time.Millisecond)) }
	}},
	{name: "Recover does nothing", killedBy: "Versions/RecoveryJumps", store: func(s *kvtest.Store) { s.Recover = func() {} }},
	{name: "a recovery loses all data", killedBy: "Versions/RecoveryJumps", store: func(s *kvtest.Store) {
		recovery, db := s.Recover, s.Database
		s.Recover = func() {
			apply(db, func(tr kv.Transaction) { tr.ClearRange(nil, []byte{0xff}) })
			recovery()
		}
	}},
	{name: "reopening loses all data", killedBy: "Reopening/KeepsCommits", store: func(s *kvtest.Store) {
		s.Reopen = func(testing.TB) kv.Database { return memkv.New(memkv.Options{}) }
	}},
	{name: "reopening resets versions", killedBy: "Reopening/VersionsGrow", store: func(s *kvtest.Store) {
		s.Reopen = func(testing.TB) kv.Database { return memkv.New(memkv.Options{FirstVersion: 1}) }
	}},
	{name: "reopening finds uncommitted data", killedBy: "Reopening/DropsUncommittedData", store: func(s *kvtest.Store) {
		db := s.Database
		*s = hook(*s, func(h *hooked) { h.cancel = func() { _ = h.OwnedTransaction.Commit() } })
		s.Reopen = func(testing.TB) kv.Database { return db }
	}},
	{name: "values are not copied", killedBy: "Keys/CallerReusesBuffers", store: func(s *kvtest.Store) {
		var buffers sync.Map
		*s = hook(*s, func(h *hooked) {
			h.set = func(key, value []byte) {
				buffers.Store(string(key), value)
				h.OwnedTransaction.Set(key, value)
			}
			h.getRange = func(begin, end []byte, opts kv.RangeOptions) rows {
				return mapped(h.OwnedTransaction.GetRange(begin, end, opts), func(found []kv.KeyValue) []kv.KeyValue {
					for i, row := range found {
						if buffer, ok := buffers.Load(string(row.Key)); ok && row.Value != nil {
							found[i].Value = buffer.([]byte)
						}
					}
					return found
				})
			}
		})
	}},
	{name: "handles do not share data", killedBy: "Sharing/SeesCommits", store: func(s *kvtest.Store) {
		s.Share = func(testing.TB) kv.Database { return memkv.New(memkv.Options{}) }
	}},
	{name: "commits of another handle fire no watch", killedBy: "Sharing/Watch", store: func(s *kvtest.Store) {
		share := s.Share
		s.Share = func(t testing.TB) kv.Database {
			return withoutWatchEvents{share(t)}
		}
	}},
	{name: "a pending read does not end with its context", killedBy: "Context/EndsAGet", options: func(o *memkv.Options) {
		before := o.Hooks.Before
		o.Hooks.Before = func(ctx context.Context, c *memkv.Call) error {
			return before(context.WithoutCancel(ctx), c)
		}
	}},
	{name: "an abandoned commit is never applied", killedBy: "Unsettled/AppliedLater", options: func(o *memkv.Options) {
		before := o.Hooks.Before
		o.Hooks.Before = func(ctx context.Context, c *memkv.Call) error {
			if c.Kind != memkv.CallCommit {
				return before(ctx, c)
			}
			if err := before(context.WithoutCancel(ctx), c); err != nil {
				return err
			}
			return ctx.Err()
		}
	}},
}

// withoutWatchEvents is a database whose commits fire no watch, because sets only add write
// conflicts.
type withoutWatchEvents struct{ kv.Database }

func (q withoutWatchEvents) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	tr, err := q.Database.CreateTransaction(ctx)
	if err != nil {
		return nil, err
	}
	h := &hooked{OwnedTransaction: tr, db: q.Database, ctx: ctx}
	h.set = func(key, _ []byte) { _ = tr.AddWriteConflictKey(key) }
	return h, nil
}
