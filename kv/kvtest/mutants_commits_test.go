package kvtest_test

import (
	"bytes"
	"errors"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// recommitted is a mutant of Commit.
func recommitted(change func(h *hooked, err error) error) func(h *hooked) {
	return func(h *hooked) {
		h.commit = func() error { return change(h, h.OwnedTransaction.Commit()) }
	}
}

// Faults of the commit.
var commitMutants = []mutant{
	{name: "a reset keeps the committed version", killedBy: "CommittedVersion/AfterReset", change: func(h *hooked) {
		last := int64(-1)
		h.version = func() (int64, error) {
			version, err := h.OwnedTransaction.GetCommittedVersion()
			last = max(last, version)
			return last, err
		}
	}},
	{name: "an inverted clear is forgotten", killedBy: "UsedDuringCommit/InvertedRange", change: func(h *hooked) {
		h.clearRange = func(begin, end []byte) {
			if bytes.Compare(begin, end) <= 0 {
				h.OwnedTransaction.ClearRange(begin, end)
			}
		}
	}},
	{name: "a conflict is told as committed", killedBy: "Conflicts/FirstCommitWins", change: recommitted(func(_ *hooked, err error) error {
		if kv.CodeOf(err) == kv.CodeNotCommitted {
			return nil
		}
		return err
	})},
	{name: "a conflict is told as unknown", killedBy: "Conflicts/LoserLeavesNothing", change: recommitted(func(_ *hooked, err error) error {
		if kv.CodeOf(err) == kv.CodeNotCommitted {
			return kv.Error{Code: kv.CodeCommitUnknownResult}
		}
		return err
	})},
	{name: "an unknown result is told as a conflict", killedBy: "UnknownResult/Applied", change: recommitted(func(_ *hooked, err error) error {
		if kv.CodeOf(err) == kv.CodeCommitUnknownResult {
			return kv.Error{Code: kv.CodeNotCommitted}
		}
		return err
	})},
	{name: "an unknown result is told as committed", killedBy: "UnknownResult/NotApplied", change: recommitted(func(_ *hooked, err error) error {
		if kv.CodeOf(err) == kv.CodeCommitUnknownResult {
			return nil
		}
		return err
	})},
	{name: "a commit that began is told as one that did not", killedBy: "Context/EndsACommit", change: recommitted(func(_ *hooked, err error) error {
		if e, ok := errors.AsType[kv.Error](err); ok {
			e.Committing = false
			return e
		}
		return err
	})},
	{name: "a commit that did not begin is told as one that did", killedBy: "Context/EndsBetween", change: recommitted(func(_ *hooked, err error) error {
		if e, ok := errors.AsType[kv.Error](err); ok {
			e.Committing = true
			return e
		}
		return err
	})},
	{name: "errors of a commit have no code", killedBy: "Conflicts/LoserLeavesNothing", change: recommitted(func(_ *hooked, err error) error {
		if err != nil {
			return errors.New(err.Error())
		}
		return nil
	})},
	{name: "a timed-out commit is unknown and settled", killedBy: "Unsettled/TimedOutApplied", change: recommitted(func(_ *hooked, err error) error {
		switch kv.CodeOf(err) {
		case kv.CodeTransactionTimedOut, kv.CodeClusterVersionChanged:
			return kv.Error{Code: kv.CodeCommitUnknownResult, Err: err}
		}
		return err
	})},
	{name: "refusals are told as fatal", killedBy: "UnknownResult/Refusals", change: recommitted(func(_ *hooked, err error) error {
		if e, ok := errors.AsType[kv.Error](err); ok && e.RetryableNotCommitted() && e.Code != kv.CodeNotCommitted {
			return kv.Error{Code: kv.CodeIOError}
		}
		return err
	})},
	{name: "too large a transaction is retried", killedBy: "Limits/TransactionTooLarge", change: recommitted(func(_ *hooked, err error) error {
		if kv.CodeOf(err) == kv.CodeTransactionTooLarge {
			return kv.Error{Code: kv.CodeNotCommitted}
		}
		return err
	})},
	{name: "nothing is committed", killedBy: "ReadVersion/SeesCommitsOfOtherGoroutines", change: func(h *hooked) {
		h.commit = func() error { return nil }
	}},
	{name: "only the first commit of a transaction lands", killedBy: "UsedDuringCommit/AfterReset", change: func(h *hooked) {
		done := false
		h.commit = func() error {
			if done {
				return nil
			}
			done = true
			return h.OwnedTransaction.Commit()
		}
	}},
	{name: "a loser writes all the same", killedBy: "Isolation/NoWriteSkew", change: func(h *hooked) {
		var writes []func(tr kv.Transaction)
		h.set = func(key, value []byte) {
			writes = append(writes, func(tr kv.Transaction) { tr.Set(key, value) })
			h.OwnedTransaction.Set(key, value)
		}
		h.clear = func(key []byte) {
			writes = append(writes, func(tr kv.Transaction) { tr.Clear(key) })
			h.OwnedTransaction.Clear(key)
		}
		h.commit = func() error {
			err := h.OwnedTransaction.Commit()
			if err != nil {
				for _, write := range writes {
					apply(h.db, write)
				}
			}
			return err
		}
	}},
	{name: "a read-only commit has a version", killedBy: "ReadOnlyCommit/Version", change: func(h *hooked) {
		h.version = func() (int64, error) {
			version, err := h.OwnedTransaction.GetCommittedVersion()
			return max(version, 1), err
		}
	}},
	{name: "the committed version does not grow", killedBy: "Versions/CommitsGrow", change: func(h *hooked) {
		h.version = func() (int64, error) {
			version, err := h.OwnedTransaction.GetCommittedVersion()
			return min(version, 7), err
		}
	}},
	{name: "the committed version is one too high", killedBy: "CommittedVersion/IsWhereTheWritesAre", change: func(h *hooked) {
		h.version = func() (int64, error) {
			version, err := h.OwnedTransaction.GetCommittedVersion()
			return version + 1, err
		}
	}},
	{name: "a transaction can be used after its commit", killedBy: "UsedDuringCommit/AfterSuccess", change: recommitted(func(h *hooked, err error) error {
		h.OwnedTransaction.Reset()
		return err
	})},
	{name: "a read waits for the end of the commit", killedBy: "UsedDuringCommit/WhileItLasts", change: func(h *hooked) {
		committing := make(chan struct{})
		h.commit = func() error {
			h.get = func([]byte) kv.Future[[]byte] {
				select {
				case <-committing:
				case <-time.After(100 * time.Millisecond): // rather than for ever
				}
				return lazily[[]byte](func() ([]byte, error) { return nil, nil })
			}
			defer close(committing)
			return h.OwnedTransaction.Commit()
		}
	}},
	{name: "a transaction cannot be used after a reset", killedBy: "UsedDuringCommit/AfterReset", change: func(h *hooked) {
		h.reset = func() { h.OwnedTransaction.Cancel() }
	}},
	{name: "reset does nothing", killedBy: "Reset/MakesNew", change: func(h *hooked) {
		h.reset = func() {}
	}},
	{name: "cancel does nothing", killedBy: "Cancel/EveryUse", change: func(h *hooked) {
		h.cancel = func() {}
	}},
	{name: "cancel is reset", killedBy: "Cancel/EveryUse", change: func(h *hooked) {
		h.cancel = h.OwnedTransaction.Reset
	}},
	{name: "cancel commits", killedBy: "Isolation/AbandonedIsNothing", change: func(h *hooked) {
		h.cancel = func() { _ = h.OwnedTransaction.Commit() }
	}},
	{name: "reset commits", killedBy: "Isolation/AbandonedIsNothing", change: func(h *hooked) {
		h.reset = func() {
			_ = h.OwnedTransaction.Commit()
			h.OwnedTransaction.Reset()
		}
	}},
}
