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

// stuck is a watch that is what it is.
type stuck struct {
	kv.Watch
	done chan struct{}
	err  error
}

func (s stuck) Done() <-chan struct{} { return s.done }
func (s stuck) Err() error            { return s.err }

// fired is a channel that is closed.
func fired() chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

// forgetful is a watch that hides its error.
type forgetful struct{ kv.Watch }

func (forgetful) Err() error { return nil }

// nosy is a watch that says it was cancelled before it is over.
type nosy struct{ kv.Watch }

func (n nosy) Err() error {
	if err := n.Watch.Err(); err != nil {
		return err
	}
	return kv.Error{Code: kv.CodeWatchCancelled}
}

// coded is a watch whose errors all have one code.
type coded struct {
	kv.Watch
	code int
}

func (c coded) Err() error {
	if c.Watch.Err() != nil {
		return kv.Error{Code: c.code}
	}
	return nil
}

// rewatched is a mutant of Watch.
func rewatched(change func(h *hooked, key []byte) kv.Watch) func(h *hooked) {
	return func(h *hooked) {
		h.watch = func(key []byte) kv.Watch { return change(h, key) }
	}
}

// Faults of watches.
var watchMutants = []mutant{
	{name: "watches never fire", killedBy: "Watch/Set", change: rewatched(func(h *hooked, key []byte) kv.Watch {
		return stuck{Watch: h.OwnedTransaction.Watch(key), done: make(chan struct{})}
	})},
	{name: "watches fire at once", killedBy: "Watch/OtherKey", change: rewatched(func(h *hooked, key []byte) kv.Watch {
		return stuck{Watch: h.OwnedTransaction.Watch(key), done: fired()}
	})},
	{name: "watches fire for any write of the key", killedBy: "Watch/SameValue", change: func(h *hooked) {
		// What the transaction writes is first another value for a moment.
		h.set = func(key, value []byte) {
			apply(h.db, func(tr kv.Transaction) { tr.Set(key, append([]byte("not "), value...)) })
			h.OwnedTransaction.Set(key, value)
		}
	}},
	{name: "watches fire for clears of nothing", killedBy: "Watch/ClearOfAbsent", change: func(h *hooked) {
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
	{name: "watches do not fire for own changes", killedBy: "Watch/OwnLaterChange", change: rewatched(func(h *hooked, key []byte) kv.Watch {
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
				return stuck{Watch: h.OwnedTransaction.Watch(key), done: fired()}
			}
			h.OwnedTransaction.Set(key, value)
		}
	}},
	{name: "watches are active before the commit", killedBy: "Watch/NotBeforeTheCommit", change: rewatched(func(h *hooked, key []byte) kv.Watch {
		var watch kv.Watch
		apply(h.db, func(tr kv.Transaction) { watch = tr.Watch(key) })
		h.OwnedTransaction.Watch(key)
		return watch
	})},
	{name: "watches read nothing", killedBy: "Watch/IsASerialisableRead", change: rewatched(func(h *hooked, key []byte) kv.Watch {
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
	{name: "one watch a key", killedBy: "Watch/EverybodysWatch", store: func(s *kvtest.Store) {
		last := map[string]kv.Watch{}
		*s = hook(*s, rewatched(func(h *hooked, key []byte) kv.Watch {
			if before := last[string(key)]; before != nil {
				before.Cancel()
			}
			last[string(key)] = h.OwnedTransaction.Watch(key)
			return last[string(key)]
		}))
	}},
	{name: "a watch ends the one before it in its transaction", killedBy: "Watch/SeveralOfOneTransaction", change: func(h *hooked) {
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
	{name: "watches hide their errors", killedBy: "WatchFailure/Cancel", change: rewatched(func(h *hooked, key []byte) kv.Watch {
		return forgetful{h.OwnedTransaction.Watch(key)}
	})},
	{name: "watches have an error before they are over", killedBy: "Watch/ErrBeforeDone", change: rewatched(func(h *hooked, key []byte) kv.Watch {
		return nosy{h.OwnedTransaction.Watch(key)}
	})},
	{name: "watches all fail with 1025", killedBy: "WatchFailure/CommitRefused", change: rewatched(func(h *hooked, key []byte) kv.Watch {
		return coded{h.OwnedTransaction.Watch(key), kv.CodeTransactionCancelled}
	})},
	{name: "watches all fail with 1029", killedBy: "WatchFailure/Reset", change: rewatched(func(h *hooked, key []byte) kv.Watch {
		return coded{h.OwnedTransaction.Watch(key), kv.CodeWatchCancelled}
	})},
}

// Faults of the engine itself, and of what its handles do.
var engineMutants = []mutant{
	{name: "old versions are kept too long", killedBy: "TooOldAtRead/EveryKindOfRead", options: func(o *memkv.Options) { o.Window = 1e9 }},
	{name: "old versions are dropped too early", killedBy: "TooOldAtCommit/NotYet", options: func(o *memkv.Options) { o.Window = 1e6 }},
	{name: "only the newest version is kept", killedBy: "Isolation/NoWriteSkew", options: func(o *memkv.Options) { o.Window = -1 }},
	{name: "too few watches", killedBy: "WatchFailure/TooMany", options: func(o *memkv.Options) { o.MaxWatches = 100 }},
	{name: "any number of watches", killedBy: "WatchFailure/TooMany", options: func(o *memkv.Options) { o.MaxWatches = 1e6 }},
	{name: "transactions may be larger", killedBy: "Limits/ConflictRangesCount", options: func(o *memkv.Options) { o.SizeLimit = 1e9 }},
	{name: "transactions may be smaller only", killedBy: "Limits/LargeTransaction", options: func(o *memkv.Options) { o.SizeLimit = 1e6 }},
	{name: "time stands still", killedBy: "Versions/FollowTheClock", options: func(o *memkv.Options) {
		o.Now = func() time.Time { return time.Unix(0, 0) }
	}},
	{name: "time runs backwards", killedBy: "Versions/FollowTheClock", options: func(o *memkv.Options) {
		now := o.Now
		o.Now = func() time.Time { return time.Unix(0, 0).Add(-time.Duration(now().UnixNano())) }
	}},
	{name: "the back-off is capped early", killedBy: "OnErrorBackoff/Doubles", options: func(o *memkv.Options) {
		wait := o.Sleep
		o.Sleep = func(ctx context.Context, d time.Duration) error { return wait(ctx, min(d, 100*time.Millisecond)) }
	}},
	{name: "there is no recovery", killedBy: "Versions/RecoveryJumps", store: func(s *kvtest.Store) { s.Recover = func() {} }},
	{name: "a recovery loses everything", killedBy: "Versions/RecoveryJumps", store: func(s *kvtest.Store) {
		recovery, db := s.Recover, s.Database
		s.Recover = func() {
			apply(db, func(tr kv.Transaction) { tr.ClearRange(nil, []byte{0xff}) })
			recovery()
		}
	}},
	{name: "reopening loses everything", killedBy: "Reopening/KeepsCommits", store: func(s *kvtest.Store) {
		s.Reopen = func(testing.TB) kv.Database { return memkv.New(memkv.Options{}) }
	}},
	{name: "reopening lets versions begin anew", killedBy: "Reopening/VersionsGrow", store: func(s *kvtest.Store) {
		s.Reopen = func(testing.TB) kv.Database { return memkv.New(memkv.Options{FirstVersion: 1}) }
	}},
	{name: "reopening commits what was not", killedBy: "Reopening/DropsTheUncommitted", store: func(s *kvtest.Store) {
		db := s.Database
		*s = hook(*s, func(h *hooked) { h.cancel = func() { _ = h.OwnedTransaction.Commit() } })
		s.Reopen = func(testing.TB) kv.Database { return db }
	}},
	{name: "values are the caller's buffers", killedBy: "Keys/BuffersAreTheCallers", store: func(s *kvtest.Store) {
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
	{name: "handles do not share their data", killedBy: "Sharing/SeesCommits", store: func(s *kvtest.Store) {
		s.Share = func(testing.TB) kv.Database { return memkv.New(memkv.Options{}) }
	}},
	{name: "a handle has watches of its own", killedBy: "Sharing/Watch", store: func(s *kvtest.Store) {
		share := s.Share
		s.Share = func(t testing.TB) kv.Database {
			return quietly{share(t)}
		}
	}},
	{name: "a held read does not end with its context", killedBy: "Context/EndsAGet", options: func(o *memkv.Options) {
		before := o.Hooks.Before
		o.Hooks.Before = func(ctx context.Context, c *memkv.Call) error {
			return before(context.WithoutCancel(ctx), c)
		}
	}},
	{name: "what is abandoned does not land", killedBy: "Unsettled/LandsLater", options: func(o *memkv.Options) {
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

// quietly is a database whose commits fire no watch, as they write nothing.
type quietly struct{ kv.Database }

func (q quietly) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	tr, err := q.Database.CreateTransaction(ctx)
	if err != nil {
		return nil, err
	}
	h := &hooked{OwnedTransaction: tr, db: q.Database, ctx: ctx}
	h.set = func(key, _ []byte) { _ = tr.AddWriteConflictKey(key) }
	return h, nil
}
