package kvtest_test

import (
	"bytes"
	"slices"

	"github.com/fdbelection/fdbelection/kv"
)

// conflictMutants are faults of the conflict check.
var conflictMutants = []mutant{
	{name: "Get adds no read conflict", killedBy: "Conflicts/GetThenSet", change: func(h *hooked) {
		h.get = func(key []byte) kv.Future[[]byte] { return h.OwnedTransaction.Snapshot().Get(key) }
	}},
	{name: "GetRange adds no read conflict", killedBy: "Conflicts/RangeThenInsert", change: func(h *hooked) {
		h.getRange = func(begin, end []byte, opts kv.RangeOptions) rows {
			return h.OwnedTransaction.Snapshot().GetRange(begin, end, opts)
		}
	}},
	{name: "GetRange conflicts only on its rows", killedBy: "Conflicts/EmptyRangeThenInsert", change: func(h *hooked) {
		h.getRange = func(begin, end []byte, opts kv.RangeOptions) rows {
			answer := h.OwnedTransaction.Snapshot().GetRange(begin, end, opts)
			found, _ := answer.Get()
			for _, row := range found {
				_ = h.OwnedTransaction.AddReadConflictKey(row.Key)
			}
			return answer
		}
	}},
	{name: "GetRange with a limit conflicts on the whole range", killedBy: "Conflicts/LimitedRangeThenSetAfter", change: func(h *hooked) {
		h.getRange = func(begin, end []byte, opts kv.RangeOptions) rows {
			if bytes.Compare(begin, end) < 0 {
				_ = h.OwnedTransaction.AddReadConflictRange(begin, end)
			}
			return h.OwnedTransaction.GetRange(begin, end, opts)
		}
	}},
	{name: "GetRange conflicts on its end", killedBy: "Conflicts/RangeThenSetAtEnd", change: func(h *hooked) {
		h.getRange = func(begin, end []byte, opts kv.RangeOptions) rows {
			_ = h.OwnedTransaction.AddReadConflictKey(end)
			return h.OwnedTransaction.GetRange(begin, end, opts)
		}
	}},
	{name: "Get conflicts on the next key", killedBy: "Conflicts/NextKey", change: func(h *hooked) {
		h.get = func(key []byte) kv.Future[[]byte] {
			_ = h.OwnedTransaction.AddReadConflictKey(after(key))
			return h.OwnedTransaction.Get(key)
		}
	}},
	{name: "Get of an own write adds a read conflict", killedBy: "ReadYourWrites/GetOfOwnSetNoConflict", change: func(h *hooked) {
		h.set = func(key, value []byte) {
			_ = h.OwnedTransaction.AddReadConflictKey(key)
			h.OwnedTransaction.Set(key, value)
		}
	}},
	{name: "GetRange of an own clear adds a read conflict", killedBy: "ReadYourWrites/RangeOfOwnClearNoConflict", change: func(h *hooked) {
		h.clearRange = func(begin, end []byte) {
			_ = h.OwnedTransaction.AddReadConflictRange(begin, end)
			h.OwnedTransaction.ClearRange(begin, end)
		}
		h.clear = func(key []byte) {
			_ = h.OwnedTransaction.AddReadConflictKey(key)
			h.OwnedTransaction.Clear(key)
		}
	}},
	{name: "an own write removes the read conflict", killedBy: "ReadYourWrites/GetBeforeOwnSetConflicts", change: func(h *hooked) {
		var read [][]byte
		h.get = func(key []byte) kv.Future[[]byte] {
			read = append(read, key)
			return h.OwnedTransaction.Snapshot().Get(key)
		}
		h.set = func(key, value []byte) {
			read = slices.DeleteFunc(read, func(k []byte) bool { return bytes.Equal(k, key) })
			h.OwnedTransaction.Set(key, value)
		}
		h.commit = func() error {
			for _, key := range read {
				_ = h.OwnedTransaction.AddReadConflictKey(key)
			}
			return h.OwnedTransaction.Commit()
		}
	}},
	{name: "writes conflict with writes", killedBy: "Conflicts/WritesAloneNever", change: func(h *hooked) {
		h.set = func(key, value []byte) {
			h.OwnedTransaction.Get(key)
			h.OwnedTransaction.Set(key, value)
		}
	}},
	{name: "a read-only commit is checked for conflicts", killedBy: "Conflicts/ReadOnlyNever", change: func(h *hooked) {
		h.commit = func() error {
			_ = h.OwnedTransaction.AddWriteConflictKey([]byte("checked"))
			return h.OwnedTransaction.Commit()
		}
	}},
	{name: "snapshot reads add read conflicts", killedBy: "SnapshotReads/GetNoConflict", change: func(h *hooked) {
		h.snapshot = func() kv.ReadTransaction { return h.OwnedTransaction }
	}},
	{name: "after a snapshot read, reads of the key add no read conflict", killedBy: "SnapshotReads/SerialisableReadAfterwards", change: func(h *hooked) {
		h.snapshot = func() kv.ReadTransaction {
			h.get = func(key []byte) kv.Future[[]byte] { return h.OwnedTransaction.Snapshot().Get(key) }
			h.addRead = func(_, _ []byte) error { return nil }
			return h.OwnedTransaction.Snapshot()
		}
	}},
	{name: "explicit read conflicts are ignored", killedBy: "ExplicitConflicts/ReadKeyThenSet", change: func(h *hooked) {
		h.addRead = func(_, _ []byte) error { return nil }
	}},
	{name: "explicit write conflicts are ignored", killedBy: "ExplicitConflicts/GetThenWriteKey", change: func(h *hooked) {
		h.addWrite = func(_, _ []byte) error { return nil }
	}},
	{name: "explicit conflict ranges are too long", killedBy: "ExplicitConflicts/ReadKeyIsOneKey", change: func(h *hooked) {
		h.addRead = func(begin, end []byte) error {
			return h.OwnedTransaction.AddReadConflictRange(begin, after(end))
		}
		h.addWrite = func(begin, end []byte) error {
			return h.OwnedTransaction.AddWriteConflictRange(begin, after(end))
		}
	}},
	{name: "inverted explicit conflict ranges are accepted", killedBy: "ExplicitConflicts/InvertedRange", change: func(h *hooked) {
		sorted := func(add func(begin, end []byte) error) func(begin, end []byte) error {
			return func(begin, end []byte) error {
				if bytes.Compare(begin, end) > 0 {
					begin, end = end, begin
				}
				return add(begin, end)
			}
		}
		h.addRead = sorted(h.OwnedTransaction.AddReadConflictRange)
		h.addWrite = sorted(h.OwnedTransaction.AddWriteConflictRange)
	}},
	{name: "explicit write conflicts write the key", killedBy: "ExplicitConflicts/WriteConflictOnly", change: func(h *hooked) {
		h.addWrite = func(begin, end []byte) error {
			if bytes.Equal(end, after(begin)) {
				h.OwnedTransaction.Set(begin, nil)
				return nil
			}
			return h.OwnedTransaction.AddWriteConflictRange(begin, end)
		}
	}},
	{name: "explicit read conflicts add write conflicts", killedBy: "ExplicitConflicts/ReadConflictOnly", change: func(h *hooked) {
		h.addRead = func(begin, end []byte) error {
			_ = h.OwnedTransaction.AddWriteConflictRange(begin, end)
			return h.OwnedTransaction.AddReadConflictRange(begin, end)
		}
	}},
	{name: "sets are applied at the commit", killedBy: "ExplicitConflicts/AfterOwnWrite", change: func(h *hooked) {
		var writes []func()
		h.set = func(key, value []byte) { writes = append(writes, func() { h.OwnedTransaction.Set(key, value) }) }
		h.commit = func() error {
			for _, write := range writes {
				write()
			}
			return h.OwnedTransaction.Commit()
		}
	}},
	{name: "explicit read conflicts are added at the commit", killedBy: "ExplicitConflicts/BeforeOwnWrite", change: func(h *hooked) {
		var added [][2][]byte
		h.addRead = func(begin, end []byte) error {
			added = append(added, [2][]byte{begin, end})
			return nil
		}
		h.commit = func() error {
			for _, r := range added {
				_ = h.OwnedTransaction.AddReadConflictRange(r[0], r[1])
			}
			return h.OwnedTransaction.Commit()
		}
	}},
	{name: "reads that are not awaited are not issued", killedBy: "Conflicts/UnawaitedGet", change: func(h *hooked) {
		h.get = func(key []byte) kv.Future[[]byte] {
			return lazily[[]byte](func() ([]byte, error) { return h.OwnedTransaction.Get(key).Get() })
		}
		h.getRange = func(begin, end []byte, opts kv.RangeOptions) rows {
			return lazily[[]kv.KeyValue](func() ([]kv.KeyValue, error) {
				return h.OwnedTransaction.GetRange(begin, end, opts).Get()
			})
		}
	}},
}
