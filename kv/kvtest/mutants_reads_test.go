package kvtest_test

import (
	"bytes"
	"slices"

	"github.com/fdbelection/fdbelection/kv"
)

// rows is the future of a range.
type rows = kv.Future[[]kv.KeyValue]

// Faults of what reads answer.
var readMutants = []mutant{
	{name: "own writes are not read", killedBy: "ReadYourWrites/Get", change: func(h *hooked) {
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
	{name: "an answer is kept although the transaction writes", killedBy: "ReadYourWrites/GetAfterRead", change: func(h *hooked) {
		known := map[string]kv.Future[[]byte]{}
		h.get = func(key []byte) kv.Future[[]byte] {
			if known[string(key)] == nil {
				known[string(key)] = h.OwnedTransaction.Get(key)
			}
			return known[string(key)]
		}
	}},
	{name: "a range always takes the read version", killedBy: "ReadYourWrites/RangeTakesNoVersion", change: func(h *hooked) {
		h.getRange = func(begin, end []byte, opts kv.RangeOptions) kv.Future[[]kv.KeyValue] {
			_, _ = h.GetReadVersion().Get()
			return h.OwnedTransaction.GetRange(begin, end, opts)
		}
	}},
	{name: "reads take place when they are awaited", killedBy: "ReadYourWrites/OrderOfIssue", change: func(h *hooked) {
		h.get = func(key []byte) kv.Future[[]byte] {
			return lazily[[]byte](func() ([]byte, error) { return h.OwnedTransaction.Get(key).Get() })
		}
	}},
	{name: "each read has a version of its own", killedBy: "ReadVersion/OneStateInAllReads", change: func(h *hooked) {
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
	{name: "the read version is asked for again each time", killedBy: "ReadVersion/StaysTheSame", change: func(h *hooked) {
		h.readVersion = func() kv.Future[int64] {
			other, _ := h.db.CreateTransaction(h.ctx)
			return other.GetReadVersion()
		}
	}},
	{name: "snapshots have a read version of their own", killedBy: "SnapshotReads/SameReadVersion", change: func(h *hooked) {
		h.snapshot = func() kv.ReadTransaction {
			other, _ := h.db.CreateTransaction(h.ctx)
			return other.Snapshot()
		}
	}},
	{name: "the read version is taken at creation", killedBy: "ReadVersion/TakenByTheFirstRead", change: func(h *hooked) {
		_, _ = h.OwnedTransaction.GetReadVersion().Get()
	}},
	{name: "read versions lag behind", killedBy: "ReadVersion/SeesAcknowledgedCommits", change: func(h *hooked) {
		h.readVersion = func() kv.Future[int64] {
			return mapped(h.OwnedTransaction.GetReadVersion(), func(v int64) int64 { return v - 1 })
		}
	}},
	{name: "read versions run ahead", killedBy: "Versions/CommitAboveReadVersion", change: func(h *hooked) {
		h.readVersion = func() kv.Future[int64] {
			return mapped(h.OwnedTransaction.GetReadVersion(), func(v int64) int64 { return v + 1e9 })
		}
	}},
	{name: "an absent key is an empty value", killedBy: "Keys/EmptyValue", change: func(h *hooked) {
		h.get = func(key []byte) kv.Future[[]byte] {
			return mapped(h.OwnedTransaction.Get(key), func(v []byte) []byte { return append([]byte{}, v...) })
		}
	}},
	{name: "an empty value is an absent key", killedBy: "Keys/EmptyValue", change: func(h *hooked) {
		h.get = func(key []byte) kv.Future[[]byte] {
			return mapped(h.OwnedTransaction.Get(key), func(v []byte) []byte { return append([]byte(nil), v...) })
		}
	}},
	{name: "futures are computed anew each time", killedBy: "Futures/Repeatable", change: func(h *hooked) {
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
	{name: "futures answer once", killedBy: "Futures/AnswerSurvivesTheCommit", change: func(h *hooked) {
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
	{name: "futures answer in the order they are awaited", killedBy: "Futures/AnyOrder", change: func(h *hooked) {
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
	{name: "a key in flight cannot be read again", killedBy: "Futures/SameKeyTwice", change: func(h *hooked) {
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
	{name: "a failed read succeeds when it is asked again", killedBy: "Futures/ErrorsRepeat", change: func(h *hooked) {
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
	{name: "keys are text", killedBy: "Keys/AnyBytes", change: func(h *hooked) {
		h.set = func(key, value []byte) {
			h.OwnedTransaction.Set(bytes.ToValidUTF8(key, []byte("?")), value)
		}
	}},
	{name: "keys end at a zero byte", killedBy: "Keys/PrefixOfAnother", change: func(h *hooked) {
		h.set = func(key, value []byte) {
			short, _, _ := bytes.Cut(key, []byte{0})
			h.OwnedTransaction.Set(short, value)
		}
	}},
	{name: "the empty key is refused", killedBy: "Keys/Empty", change: func(h *hooked) {
		h.set = func(key, value []byte) {
			if len(key) > 0 {
				h.OwnedTransaction.Set(key, value)
			}
		}
	}},
}

// reranged is a mutant of GetRange.
func reranged(change func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows) func(h *hooked) {
	return func(h *hooked) {
		h.getRange = func(begin, end []byte, opts kv.RangeOptions) rows {
			return change(h, begin, end, opts)
		}
	}
}

// Faults of ranges.
var rangeMutants = []mutant{
	{name: "range ignores its limit", killedBy: "Ranges/Limit", change: reranged(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		opts.Limit = 0
		return h.OwnedTransaction.GetRange(begin, end, opts)
	})},
	{name: "range takes its limit for one more", killedBy: "Ranges/LimitAndReverse", change: reranged(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		if opts.Limit > 0 {
			opts.Limit++
		}
		return h.OwnedTransaction.GetRange(begin, end, opts)
	})},
	{name: "range ignores reverse", killedBy: "Ranges/Reverse", change: reranged(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		opts.Reverse = false
		return h.OwnedTransaction.GetRange(begin, end, opts)
	})},
	{name: "reverse turns the first rows round", killedBy: "Ranges/LimitAndReverse", change: reranged(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
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
	{name: "range includes its end", killedBy: "Ranges/Bounds", change: reranged(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		return h.OwnedTransaction.GetRange(begin, after(end), opts)
	})},
	{name: "range excludes its begin", killedBy: "Ranges/Bounds", change: reranged(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		return h.OwnedTransaction.GetRange(after(begin), end, opts)
	})},
	{name: "range stops after a batch", killedBy: "Ranges/Many", change: reranged(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		return mapped(h.OwnedTransaction.GetRange(begin, end, opts), func(found []kv.KeyValue) []kv.KeyValue {
			return found[:min(len(found), 256)]
		})
	})},
	{name: "range stops after a megabyte", killedBy: "Ranges/LargeValues", change: reranged(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
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
	{name: "an inverted range fails", killedBy: "Ranges/Inverted", change: reranged(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		if bytes.Compare(begin, end) > 0 {
			return lazily[[]kv.KeyValue](func() ([]kv.KeyValue, error) {
				return nil, kv.Error{Code: kv.CodeInvertedRange}
			})
		}
		return h.OwnedTransaction.GetRange(begin, end, opts)
	})},
	{name: "an empty range begins at its end", killedBy: "Ranges/Empty", change: reranged(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		if bytes.Equal(begin, end) {
			end = after(end)
		}
		return h.OwnedTransaction.GetRange(begin, end, opts)
	})},
	{name: "bounds have to be keys that are there", killedBy: "Ranges/BoundsBetweenRows", change: reranged(func(h *hooked, begin, end []byte, opts kv.RangeOptions) rows {
		answer := h.OwnedTransaction.GetRange(begin, end, opts)
		if value, err := h.OwnedTransaction.Snapshot().Get(begin).Get(); err == nil && value == nil {
			return mapped(answer, func([]kv.KeyValue) []kv.KeyValue { return nil })
		}
		return answer
	})},
	{name: "the limit counts cleared rows", killedBy: "ReadYourWrites/LimitBehindClearedRows", change: func(h *hooked) {
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
	{name: "ranges do not merge own writes", killedBy: "ReadYourWrites/Range", change: func(h *hooked) {
		h.getRange = func(begin, end []byte, opts kv.RangeOptions) rows {
			other, _ := h.db.CreateTransaction(h.ctx)
			return other.GetRange(begin, end, opts)
		}
	}},
}
