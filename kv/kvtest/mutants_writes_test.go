package kvtest_test

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/fdbelection/fdbelection/kv"
)

// writeMutants are faults of writes.
var writeMutants = []mutant{
	{name: "a set is visible before the commit", killedBy: "Isolation/UncommittedIsInvisible", change: func(h *hooked) {
		h.set = func(key, value []byte) {
			apply(h.db, func(tr kv.Transaction) { tr.Set(key, value) })
			h.OwnedTransaction.Set(key, value)
		}
	}},
	{name: "a commit is applied in two parts", killedBy: "Isolation/Bank", change: func(h *hooked) {
		var writes []func(tr kv.Transaction)
		h.set = func(key, value []byte) {
			writes = append(writes, func(tr kv.Transaction) { tr.Set(key, value) })
			h.OwnedTransaction.Set(key, value)
		}
		h.commit = func() error {
			if len(writes) > 1 {
				apply(h.db, writes[0])
			}
			return h.OwnedTransaction.Commit()
		}
	}},
	{name: "the first write of a key wins", killedBy: "Isolation/WriteOrder", change: func(h *hooked) {
		seen := map[string]bool{}
		h.set = func(key, value []byte) {
			if !seen[string(key)] {
				h.OwnedTransaction.Set(key, value)
			}
			seen[string(key)] = true
		}
	}},
	{name: "clears are applied before sets", killedBy: "ReadYourWrites/SetInClearedRange", change: func(h *hooked) {
		sets := map[string][]byte{}
		h.set = func(key, value []byte) {
			sets[string(key)] = value
			h.OwnedTransaction.Set(key, value)
		}
		h.clearRange = func(begin, end []byte) {
			h.OwnedTransaction.ClearRange(begin, end)
			for key, value := range sets {
				h.OwnedTransaction.Set([]byte(key), value)
			}
		}
	}},
	{name: "a set to the same value is dropped", killedBy: "Conflicts/GetThenSetOfSameValue", change: func(h *hooked) {
		h.set = func(key, value []byte) {
			stored, err := h.OwnedTransaction.Snapshot().Get(key).Get()
			if err != nil || stored == nil || !bytes.Equal(stored, value) {
				h.OwnedTransaction.Set(key, value)
			}
		}
	}},
	{name: "a clear of an absent key is dropped", killedBy: "Conflicts/GetOfAbsentThenClear", change: func(h *hooked) {
		h.clear = func(key []byte) {
			if stored, err := h.OwnedTransaction.Snapshot().Get(key).Get(); err != nil || stored != nil {
				h.OwnedTransaction.Clear(key)
			}
		}
		h.clearRange = func(begin, end []byte) {
			if stored, err := h.OwnedTransaction.Snapshot().GetRange(begin, end, kv.RangeOptions{}).Get(); err != nil || len(stored) > 0 {
				h.OwnedTransaction.ClearRange(begin, end)
			}
		}
	}},
	{name: "Clear does nothing", killedBy: "Conflicts/GetThenClear", change: func(h *hooked) {
		h.clear = func([]byte) {}
	}},
	{name: "ClearRange clears its end", killedBy: "Ranges/ClearRange", change: func(h *hooked) {
		h.clearRange = func(begin, end []byte) { h.OwnedTransaction.ClearRange(begin, after(end)) }
	}},
	{name: "ClearRange does not clear its begin", killedBy: "Conflicts/ClearRangeBeginIsInside", change: func(h *hooked) {
		h.clearRange = func(begin, end []byte) { h.OwnedTransaction.ClearRange(after(begin), end) }
	}},
	{name: "ClearRange ignores an inverted range", killedBy: "Ranges/InvertedClearRange", change: func(h *hooked) {
		h.clearRange = func(begin, end []byte) {
			if bytes.Compare(begin, end) <= 0 {
				h.OwnedTransaction.ClearRange(begin, end)
			}
		}
	}},
	{name: "keys and values that are too large are dropped without an error", killedBy: "Limits/KeyTooLarge", change: func(h *hooked) {
		h.set = func(key, value []byte) {
			if len(key) <= 10_000 && len(value) <= 100_000 {
				h.OwnedTransaction.Set(key, value)
			}
		}
	}},
	{name: "the limits of keys and values are one byte too low", killedBy: "Limits/LargestKey", change: func(h *hooked) {
		h.set = func(key, value []byte) {
			if len(key) < 10_000 && len(value) < 100_000 {
				h.OwnedTransaction.Set(key, value)
			}
		}
	}},
	{name: "system keys can be written", killedBy: "Keys/OutsideLegalRange", change: func(h *hooked) {
		h.set = func(key, value []byte) { h.OwnedTransaction.Set(bytes.TrimPrefix(key, []byte{0xff}), value) }
	}},
	{name: "Set does nothing", killedBy: "Reopening/KeepsCommits", change: func(h *hooked) {
		h.set = func(_, _ []byte) {}
	}},
	{name: "Reset keeps sets", killedBy: "Reset/DiscardsWrites", change: func(h *hooked) {
		var writes []func()
		h.set = func(key, value []byte) {
			writes = append(writes, func() { h.OwnedTransaction.Set(key, value) })
			h.OwnedTransaction.Set(key, value)
		}
		again := func() {
			for _, write := range writes {
				write()
			}
		}
		h.reset = func() {
			h.OwnedTransaction.Reset()
			again()
		}
		h.onError = func(err error) error {
			if err := h.OwnedTransaction.OnError(err); err != nil {
				return err
			}
			again()
			return nil
		}
	}},
}

// apply commits a change in its own transaction.
func apply(db kv.Database, change func(tr kv.Transaction)) {
	_ = db.Transact(context.Background(), func(tr kv.Transaction) error {
		change(tr)
		return nil
	})
}

// stampMutants are faults of versionstamps.
var stampMutants = []mutant{
	{name: "GetVersionstamp returns a wrong stamp", killedBy: "Versionstamps/Value", change: func(h *hooked) {
		h.versionstamp = func() kv.Future[[]byte] {
			return mapped(h.OwnedTransaction.GetVersionstamp(), func(v []byte) []byte {
				return append(make([]byte, 1), v[:9]...)
			})
		}
	}},
	{name: "GetVersionstamp returns a little-endian version", killedBy: "Versionstamps/ContainTheVersion", change: func(h *hooked) {
		h.versionstamp = func() kv.Future[[]byte] {
			return mapped(h.OwnedTransaction.GetVersionstamp(), func(v []byte) []byte {
				version := binary.BigEndian.Uint64(v)
				return append(binary.LittleEndian.AppendUint64(nil, version), v[8:]...)
			})
		}
	}},
	{name: "GetVersionstamp returns zeros", killedBy: "Versionstamps/Grow", change: func(h *hooked) {
		h.versionstamp = func() kv.Future[[]byte] {
			return mapped(h.OwnedTransaction.GetVersionstamp(), func([]byte) []byte { return make([]byte, 10) })
		}
	}},
	{name: "the offset is big-endian", killedBy: "Versionstamps/Offset", change: func(h *hooked) {
		swap := func(template []byte) []byte {
			if len(template) < 4 {
				return template
			}
			body, offset := template[:len(template)-4], binary.BigEndian.Uint32(template[len(template)-4:])
			return binary.LittleEndian.AppendUint32(bytes.Clone(body), offset)
		}
		h.stampedKey = func(key, value []byte) { h.OwnedTransaction.SetVersionstampedKey(swap(key), value) }
		h.stampedValue = func(key, value []byte) { h.OwnedTransaction.SetVersionstampedValue(key, swap(value)) }
	}},
	{name: "the stored value includes the offset", killedBy: "Versionstamps/Value", change: func(h *hooked) {
		h.stampedValue = func(key, value []byte) {
			h.OwnedTransaction.SetVersionstampedValue(key, append(bytes.Clone(value), value[max(0, len(value)-4):]...))
		}
	}},
	{name: "versionstamped keys are not stamped", killedBy: "Versionstamps/Key", change: func(h *hooked) {
		h.stampedKey = func(key, value []byte) {
			if len(key) > 4 {
				key = key[:len(key)-4]
			}
			h.OwnedTransaction.Set(key, value)
		}
	}},
	{name: "versionstamped values are not stamped", killedBy: "AccessedUnreadable/Get", change: func(h *hooked) {
		h.stampedValue = func(key, value []byte) {
			h.OwnedTransaction.Set(key, value[:max(0, len(value)-4)])
		}
	}},
	{name: "operations with an invalid offset are ignored", killedBy: "BadVersionstampTemplate/OffsetFarOutside", change: func(h *hooked) {
		fits := func(template []byte) bool {
			if len(template) < 4 {
				return false
			}
			offset := int64(binary.LittleEndian.Uint32(template[len(template)-4:]))
			return offset+14 <= int64(len(template))
		}
		h.stampedKey = func(key, value []byte) {
			if fits(key) {
				h.OwnedTransaction.SetVersionstampedKey(key, value)
			}
		}
		h.stampedValue = func(key, value []byte) {
			if fits(value) {
				h.OwnedTransaction.SetVersionstampedValue(key, value)
			}
		}
	}},
	{name: "a transaction can write only one versionstamped key", killedBy: "Versionstamps/OnePerTransaction", change: func(h *hooked) {
		stamped := false
		h.stampedKey = func(key, value []byte) {
			if !stamped {
				h.OwnedTransaction.SetVersionstampedKey(key, value)
			}
			stamped = true
		}
	}},
	{name: "SetVersionstampedKey does nothing", killedBy: "Conflicts/StampedKeyIntoRange", change: func(h *hooked) {
		h.stampedKey = func(_, _ []byte) {}
	}},
	{name: "a clear of its template removes a versionstamped key", killedBy: "Versionstamps/KeyAfterAClear", change: func(h *hooked) {
		var key, value []byte
		h.stampedKey = func(k, v []byte) { key, value = k, v }
		h.clear = func(k []byte) {
			if key != nil && bytes.HasPrefix(k, key[:len(key)-14]) {
				key = nil
			}
			h.OwnedTransaction.Clear(k)
		}
		h.commit = func() error {
			if key != nil {
				h.OwnedTransaction.SetVersionstampedKey(key, value)
			}
			return h.OwnedTransaction.Commit()
		}
	}},
	{name: "the versionstamp survives Reset", killedBy: "Versionstamps/AfterReset", change: func(h *hooked) {
		h.reset = func() {
			if h.OwnedTransaction.Commit() != nil {
				h.OwnedTransaction.Reset()
			}
		}
	}},
	{name: "a retry cancels the versionstamp", killedBy: "Versionstamps/AfterRetry", change: func(h *hooked) {
		h.onError = func(err error) error {
			h.OwnedTransaction.Cancel()
			h.OwnedTransaction.Reset()
			return h.OwnedTransaction.OnError(err)
		}
	}},
	{name: "Cancel resets the versionstamp", killedBy: "Versionstamps/AfterCancel", change: func(h *hooked) {
		h.cancel = func() {
			h.OwnedTransaction.Reset()
			h.OwnedTransaction.Cancel()
		}
	}},
	{name: "a set makes a versionstamped value readable", killedBy: "AccessedUnreadable/AfterSet", change: func(h *hooked) {
		h.set = func(key, value []byte) {
			h.OwnedTransaction.Clear(key)
			h.OwnedTransaction.Set(key, value)
		}
	}},
	{name: "a clear leaves a versionstamped value unreadable", killedBy: "AccessedUnreadable/AfterClear", change: func(h *hooked) {
		stamped := map[string]bool{}
		h.stampedValue = func(key, value []byte) {
			stamped[string(key)] = true
			h.OwnedTransaction.SetVersionstampedValue(key, value)
		}
		h.get = func(key []byte) kv.Future[[]byte] {
			if stamped[string(key)] {
				return lazily[[]byte](func() ([]byte, error) { return nil, kv.Error{Code: kv.CodeAccessedUnreadable} })
			}
			return h.OwnedTransaction.Get(key)
		}
	}},
	{name: "all ranges are unreadable after a versionstamped write", killedBy: "AccessedUnreadable/OtherKeys", change: func(h *hooked) {
		stamped := false
		h.stampedValue = func(key, value []byte) {
			stamped = true
			h.OwnedTransaction.SetVersionstampedValue(key, value)
		}
		h.stampedKey = func(key, value []byte) {
			stamped = true
			h.OwnedTransaction.SetVersionstampedKey(key, value)
		}
		h.getRange = func(begin, end []byte, opts kv.RangeOptions) rows {
			if stamped {
				return lazily[[]kv.KeyValue](func() ([]kv.KeyValue, error) {
					return nil, kv.Error{Code: kv.CodeAccessedUnreadable}
				})
			}
			return h.OwnedTransaction.GetRange(begin, end, opts)
		}
	}},
	{name: "the unreadable range begins after the read version", killedBy: "AccessedUnreadable/StampedKeyAfterARead", change: func(h *hooked) {
		setUnreadableFrom(h, func(readVersion int64) int64 { return readVersion + 1 })
	}},
	{name: "the unreadable range begins at version zero", killedBy: "AccessedUnreadable/StampedKeyAfterARead", change: func(h *hooked) {
		setUnreadableFrom(h, func(int64) int64 { return 0 })
	}},
	{name: "SetVersionstampedKey takes the read version", killedBy: "AccessedUnreadable/StampedKeyBeforeAnyRead", change: func(h *hooked) {
		h.stampedKey = func(key, value []byte) {
			_, _ = h.GetReadVersion().Get()
			h.OwnedTransaction.SetVersionstampedKey(key, value)
		}
	}},
	{name: "GetRange omits unreadable keys", killedBy: "AccessedUnreadable/Range", change: func(h *hooked) {
		h.getRange = func(begin, end []byte, opts kv.RangeOptions) rows {
			inner := h.OwnedTransaction.GetRange(begin, end, opts)
			return lazily[[]kv.KeyValue](func() ([]kv.KeyValue, error) {
				found, err := inner.Get()
				if kv.CodeOf(err) == kv.CodeAccessedUnreadable {
					err = nil
				}
				return found, err
			})
		}
	}},
	{name: "a commit succeeds after an unreadable read", killedBy: "AccessedUnreadable/Commit", change: func(h *hooked) {
		h.commit = func() error {
			err := h.OwnedTransaction.Commit()
			if kv.CodeOf(err) == kv.CodeAccessedUnreadable {
				return nil
			}
			return err
		}
	}},
	{name: "GetVersionstamp succeeds although there is no stamp", killedBy: "ReadOnlyCommit/Versionstamp", change: func(h *hooked) {
		h.versionstamp = func() kv.Future[[]byte] {
			inner := h.OwnedTransaction.GetVersionstamp()
			return lazily[[]byte](func() ([]byte, error) {
				stamp, err := inner.Get()
				if err != nil {
					return make([]byte, 10), nil
				}
				return stamp, nil
			})
		}
	}},
}

// setUnreadableFrom changes the version at which the unreadable range of a versionstamped key
// begins, for a transaction that has its read version. It changes only reads of
// keys that consist of a name and a stamp.
func setUnreadableFrom(h *hooked, from func(readVersion int64) int64) {
	var version int64
	var name []byte
	h.readVersion = func() kv.Future[int64] {
		return mapped(h.OwnedTransaction.GetReadVersion(), func(v int64) int64 { version = v; return v })
	}
	h.stampedKey = func(key, value []byte) {
		name = bytes.Clone(key[:len(key)-14])
		h.OwnedTransaction.SetVersionstampedKey(key, value)
	}
	h.get = func(key []byte) kv.Future[[]byte] {
		stamp, found := bytes.CutPrefix(key, name)
		if name == nil || !found || len(stamp) != 10 {
			return h.OwnedTransaction.Get(key)
		}
		return lazily[[]byte](func() ([]byte, error) {
			if int64(binary.BigEndian.Uint64(stamp)) >= from(version) {
				return nil, kv.Error{Code: kv.CodeAccessedUnreadable}
			}
			other, _ := h.db.CreateTransaction(h.ctx)
			return other.Get(key).Get()
		})
	}
}
