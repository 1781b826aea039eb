package kvtest_test

import (
	"bytes"
	"slices"

	"github.com/fdbelection/fdbelection/kv"
)

// rows is the future of a range read.
type rows = kv.Future[[]kv.KeyValue]

// readMutants are faults of reads.
var readMutants = []mutant{
	{name: "reads do not see own writes", killedBy: "ReadYourWrites/Get", change: func(h *hooked) {
		var writes []func()
		h.set = func(key, value []byte) { writes = append(writes, func() { h.OwnedTransaction.Set(key, value) }) }
		h.clear = func(key []byte) { writes = append(writes, func() { h.OwnedTransaction.Clear(key) }) }
		h.commit = func() error {
			for _, write := range writes {
				write()
			}
			return h.OwnedTransaction.Commit()
		}
	}},
	{name: "snapshot reads do not see own writes", killedBy: "SnapshotReads/SeeOwnWrites", change: func(h *hooked) {
		h.snapshot = func() kv.ReadTransaction {
			other, _ := h.db.CreateTransaction(h.ctx)
			return other.Snapshot()
		}
	}},
	{name: "Get returns a cached value after an own write", killedBy: "ReadYourWrites/GetAfterRead", change: func(h *hooked) {
		known := map[string]kv.Future[[]byte]{}
		h.get = func(key []byte) kv.Future[[]byte] {
			if known[string(key)] == nil {
				known[string(key)] = h.OwnedTransaction.Get(key)
			}
			return known[string(key)]
		}
	}},
	{name: "GetRange always takes the read version", killedBy: "ReadYourWrites/RangeTakesNoVersion", change: func(h *hooked) {
		h.getRange = func(begin, end []byte, opts kv.RangeOptions) kv.Future[[]kv.KeyValue] {
			_, _ = h.GetReadVersion().Get()
			return h.OwnedTransaction.GetRange(begin, end, opts)
		}
	}},
	{name: "reads are issued when they are awaited", killedBy: "ReadYourWrites/OrderOfIssue", change: func(h *hooked) {
		h.get = func(key []byte) kv.Future[[]byte] {
			return lazily[[]byte](func() ([]byte, error) { return h.OwnedTransaction.Get(key).Get() })
		}
	}},
	{name: "each read has its own read version", killedBy: "ReadVersion/OneStateInAllReads", change: func(h *hooked) {
		written := false
		h.set = func(key, value []byte) {
			written = true
			h.OwnedTransaction.Set(key, value)
		}
		h.get = func(key []byte) kv.Future[[]byte] {
			if written {
				return h.OwnedTransaction.Get(key)
			}
			other, _ := h.db.CreateTransaction(h.ctx)
			_ = h.OwnedTransaction.AddReadConflictKey(key)
			return other.Get(key)
		}
	}},
	{name: "GetReadVersion takes a new read version each time", killedBy: "ReadVersion/StaysTheSame", change: func(h *hooked) {
		h.readVersion = func() kv.Future[int64] {
			other, _ := h.db.CreateTransaction(h.ctx)
			return other.GetReadVersion()
		}
	}},
	{name: "snapshots have their own read version", killedBy: "SnapshotReads/SameReadVersion", change: func(h *hooked) {
		h.snapshot = func() kv.ReadTransaction {
			other, _ := h.db.CreateTransaction(h.ctx)
			return other.Snapshot()
		}
	}},
	{name: "the read version is taken at creation", killedBy: "ReadVersion/TakenByTheFirstRead", change: func(h *hooked) {
		_, _ = h.OwnedTransaction.GetReadVersion().Get()
	}},
	{name: "read versions are one too low", killedBy: "ReadVersion/SeesAcknowledgedCommits", change: func(h *hooked) {
		h.readVersion = func() kv.Future[int64] {
			return mapped(h.OwnedTransaction.GetReadVersion(), func(v int64) int64 { return v - 1 })
		}
	}},
	{name: "read versions are too high", killedBy: "Versions/CommitAboveReadVersion", change: func(h *hooked) {
		h.readVersion = func() kv.Future[int64] {
			return mapped(h.OwnedTransaction.GetReadVersion(), func(v int64) int64 { return v + 1e9 })
		}
	}},
	{name: "an absent key has an empty value", killedBy: "Keys/EmptyValue", change: func(h *hooked) {
		h.get = func(key []byte) kv.Future[[]byte] {
			return mapped(h.OwnedTransaction.Get(key), func(v []byte) []byte { return append([]byte{}, v...) })
		}
	}},
	{name: "a key with an empty value is absent", killedBy: "Keys/EmptyValue", change: func(h *hooked) {
		h.get = func(key []byte) kv.Future[[]byte] {
			return mapped(h.OwnedTransaction.Get(key), func(v []byte) []byte { return append([]byte(nil), v...) })
		}
	}},
	{name: "futures read again each time", killedBy: "Futures/Repeatable", change: func(h *hooked) {
		h.get = func(key []byte) kv.Future[[]byte] {
			first := h.OwnedTransaction.Get(key)
			asked := false
			return lazily[[]byte](func() ([]byte, error) {
				if asked {
					return h.OwnedTransaction.Get(key).Get()
				}
				asked = true
				return first.Get()
			})
		}
	}},
	{name: "futures return their result only once", killedBy: "Futures/AnswerSurvivesTheCommit", change: func(h *hooked) {
		h.get = func(key []byte) kv.Future[[]byte] {
			inner := h.OwnedTransaction.Get(key)
			asked := false
			return lazily[[]byte](func() ([]byte, error) {
				if asked {
					return nil, nil
				}
				asked = true
				return inner.Get()
			})
		}
	}},
	{name: "futures return results in the order in which they are awaited", killedBy: "Futures/AnyOrder", change: func(h *hooked) {
		var queue []kv.Future[[]byte]
		h.get = func(key []byte) kv.Future[[]byte] {
			queue = append(queue, h.OwnedTransaction.Get(key))
			return lazily[[]byte](func() ([]byte, error) {
				if len(queue) == 0 {
					return nil, nil
				}
				next := queue[0]
				queue = queue[1:]
				return next.Get()
			})
		}
	}},
	{name: "a key cannot be read while another read of it is pending", killedBy: "Futures/SameKeyTwice", change: func(h *hooked) {
		inFlight := map[string]bool{}
		h.get = func(key []byte) kv.Future[[]byte] {
			if inFlight[string(key)] {
				return lazily[[]byte](func() ([]byte, error) { return nil, nil })
			}
			inFlight[string(key)] = true
			inner := h.OwnedTransaction.Get(key)
			return lazily[[]byte](func() ([]byte, error) {
				delete(inFlight, string(key))
				return inner.Get()
			})
		}
	}},
	{name: "a failed read succeeds at the second Get", killedBy: "Futures/ErrorsRepeat", change: func(h *hooked) {
		h.get = func(key []byte) kv.Future[[]byte] {
			inner := h.OwnedTransaction.Get(key)
			failed := false
			return lazily[[]byte](func() ([]byte, error) {
				value, err := inner.Get()
				if failed {
					return nil, nil
				}
				failed = err != nil
				return value, err
			})
		}
	}},
	{name: "system keys can be read", killedBy: "Keys/OutsideLegalRange", change: func(h *hooked) {
		h.get = func(key []byte) kv.Future[[]byte] {
			return h.OwnedTransaction.Get(bytes.TrimPrefix(key, []byte{0xff}))
		}
	}},
	{name: "keys are converted to valid UTF-8", killedBy: "Keys/AnyBytes", change: func(h *hooked) {
		h.set = func(key, value []byte) {
			h.OwnedTransaction.Set(bytes.ToValidUTF8(key, []byte("?")), value)
		}
	}},
	{name: "keys end at a zero byte", killedBy: "Keys/PrefixOfAnotherKey", change: func(h *hooked) {
		h.set = func(key, value []byte) {
			short, _, _ := bytes.Cut(key, []byte{0})
			h.OwnedTransaction.Set(short, value)
		}
	}},
	{name: "the empty key is ignored", killedBy: "Keys/Empty", change: func(h *hooked) {
		h.set = func(key, value []byte) {
			if len(key) > 0 {
				h.OwnedTransaction.Set(key, value)
			}
		}
	}},
}

// changeGetRange returns a mutant of GetRange.
func changeGetRange(change func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows) func(h *hooked) {
	return func(h *hooked) {
		h.getRange = func(begin, end []byte, opts kv.RangeOptions) rows {
			return change(h, begin, end, opts)
		}
	}
}

// rangeMutants are faults of range reads.
var rangeMutants = []mutant{
	{name: "GetRange ignores the limit", killedBy: "Ranges/Limit", change: changeGetRange(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		opts.Limit = 0
		return h.OwnedTransaction.GetRange(begin, end, opts)
	})},
	{name: "GetRange returns one row more than the limit", killedBy: "Ranges/LimitAndReverse", change: changeGetRange(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		if opts.Limit > 0 {
			opts.Limit++
		}
		return h.OwnedTransaction.GetRange(begin, end, opts)
	})},
	{name: "GetRange ignores Reverse", killedBy: "Ranges/Reverse", change: changeGetRange(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		opts.Reverse = false
		return h.OwnedTransaction.GetRange(begin, end, opts)
	})},
	{name: "GetRange with Reverse returns the first rows in reverse", killedBy: "Ranges/LimitAndReverse", change: changeGetRange(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		reverse := opts.Reverse
		opts.Reverse = false
		return mapped(h.OwnedTransaction.GetRange(begin, end, opts), func(found []kv.KeyValue) []kv.KeyValue {
			found = slices.Clone(found)
			if reverse {
				slices.Reverse(found)
			}
			return found
		})
	})},
	{name: "GetRange includes its end", killedBy: "Ranges/Bounds", change: changeGetRange(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		return h.OwnedTransaction.GetRange(begin, after(end), opts)
	})},
	{name: "GetRange excludes its begin", killedBy: "Ranges/Bounds", change: changeGetRange(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		return h.OwnedTransaction.GetRange(after(begin), end, opts)
	})},
	{name: "GetRange stops after a batch", killedBy: "Ranges/Many", change: changeGetRange(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		return mapped(h.OwnedTransaction.GetRange(begin, end, opts), func(found []kv.KeyValue) []kv.KeyValue {
			return found[:min(len(found), 256)]
		})
	})},
	{name: "GetRange stops after a megabyte", killedBy: "Ranges/LargeValues", change: changeGetRange(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		return mapped(h.OwnedTransaction.GetRange(begin, end, opts), func(found []kv.KeyValue) []kv.KeyValue {
			size := 0
			for i, row := range found {
				if size += len(row.Value); size > 1<<20 {
					return found[:i]
				}
			}
			return found
		})
	})},
	{name: "GetRange of an inverted range fails", killedBy: "Ranges/Inverted", change: changeGetRange(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		if bytes.Compare(begin, end) > 0 {
			return lazily[[]kv.KeyValue](func() ([]kv.KeyValue, error) {
				return nil, kv.Error{Code: kv.CodeInvertedRange}
			})
		}
		return h.OwnedTransaction.GetRange(begin, end, opts)
	})},
	{name: "GetRange of an empty range returns its begin", killedBy: "Ranges/Empty", change: changeGetRange(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		if bytes.Equal(begin, end) {
			end = after(end)
		}
		return h.OwnedTransaction.GetRange(begin, end, opts)
	})},
	{name: "GetRange returns nothing if its begin is absent", killedBy: "Ranges/BoundsBetweenRows", change: changeGetRange(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		answer := h.OwnedTransaction.GetRange(begin, end, opts)
		if value, err := h.OwnedTransaction.Snapshot().Get(begin).Get(); err == nil && value == nil {
			return mapped(answer, func([]kv.KeyValue) []kv.KeyValue { return nil })
		}
		return answer
	})},
	{name: "the limit of GetRange counts cleared rows", killedBy: "ReadYourWrites/LimitSkipsClearedRows", change: func(h *hooked) {
		cleared := 0
		h.clear = func(key []byte) {
			cleared++
			h.OwnedTransaction.Clear(key)
		}
		h.clearRange = func(begin, end []byte) {
			cleared++
			h.OwnedTransaction.ClearRange(begin, end)
		}
		h.getRange = func(begin, end []byte, opts kv.RangeOptions) rows {
			return mapped(h.OwnedTransaction.GetRange(begin, end, opts), func(found []kv.KeyValue) []kv.KeyValue {
				if opts.Limit > 0 {
					return found[:max(0, len(found)-cleared)]
				}
				return found
			})
		}
	}},
	{name: "GetRange does not see own writes", killedBy: "ReadYourWrites/Range", change: func(h *hooked) {
		h.getRange = func(begin, end []byte, opts kv.RangeOptions) rows {
			other, _ := h.db.CreateTransaction(h.ctx)
			return other.GetRange(begin, end, opts)
		}
	}},
}
