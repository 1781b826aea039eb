package kvtest_test

import (
	"bytes"
	"errors"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// changeCommit returns a mutant that changes the result of Commit.
func changeCommit(change func(h *hooked, err error) error) func(h *hooked) {
	return func(h *hooked) {
		h.commit = func() error { return change(h, h.OwnedTransaction.Commit()) }
	}
}

// commitMutants are faults of commits.
var commitMutants = []mutant{
	{name: "a reset keeps the committed version", killedBy: "CommittedVersion/AfterReset", change: func(h *hooked) {
		last := int64(-1)
		h.version = func() (int64, error) {
			version, err := h.OwnedTransaction.GetCommittedVersion()
			last = max(last, version)
			return last, err
		}
	}},
	{name: "ClearRange ignores an inverted range after the commit", killedBy: "UsedDuringCommit/InvertedRange", change: func(h *hooked) {
		h.clearRange = func(begin, end []byte) {
			if bytes.Compare(begin, end) <= 0 {
				h.OwnedTransaction.ClearRange(begin, end)
			}
		}
	}},
	{name: "a conflict is reported as success", killedBy: "Conflicts/FirstCommitWins", change: changeCommit(func(_ *hooked, err error) error {
		if kv.CodeOf(err) == kv.CodeNotCommitted {
			return nil
		}
		return err
	})},
	{name: "a conflict is reported as 1021", killedBy: "Conflicts/FailedCommitWritesNothing", change: changeCommit(func(_ *hooked, err error) error {
		if kv.CodeOf(err) == kv.CodeNotCommitted {
			return kv.Error{Code: kv.CodeCommitUnknownResult}
		}
		return err
	})},
	{name: "1021 is reported as a conflict", killedBy: "UnknownResult/Applied", change: changeCommit(func(_ *hooked, err error) error {
		if kv.CodeOf(err) == kv.CodeCommitUnknownResult {
			return kv.Error{Code: kv.CodeNotCommitted}
		}
		return err
	})},
	{name: "1021 is reported as success", killedBy: "UnknownResult/NotApplied", change: changeCommit(func(_ *hooked, err error) error {
		if kv.CodeOf(err) == kv.CodeCommitUnknownResult {
			return nil
		}
		return err
	})},
	{name: "a commit that began is reported as not begun", killedBy: "Context/EndsACommit", change: changeCommit(func(_ *hooked, err error) error {
		if e, ok := errors.AsType[kv.Error](err); ok {
			e.Committing = false
			return e
		}
		return err
	})},
	{name: "a commit that did not begin is reported as begun", killedBy: "Context/EndsBetween", change: changeCommit(func(_ *hooked, err error) error {
		if e, ok := errors.AsType[kv.Error](err); ok {
			e.Committing = true
			return e
		}
		return err
	})},
	{name: "commit errors have no code", killedBy: "Conflicts/FailedCommitWritesNothing", change: changeCommit(func(_ *hooked, err error) error {
		if err != nil {
			return errors.New(err.Error())
		}
		return nil
	})},
	{name: "1031 and 1039 are reported as 1021", killedBy: "Unsettled/TimedOutApplied", change: changeCommit(func(_ *hooked, err error) error {
		switch kv.CodeOf(err) {
		case kv.CodeTransactionTimedOut, kv.CodeClusterVersionChanged:
			return kv.Error{Code: kv.CodeCommitUnknownResult, Err: err}
		}
		return err
	})},
	{name: "retryable commit errors are reported as fatal", killedBy: "UnknownResult/NotCommitted", change: changeCommit(func(_ *hooked, err error) error {
		if e, ok := errors.AsType[kv.Error](err); ok && e.RetryableNotCommitted() && e.Code != kv.CodeNotCommitted {
			return kv.Error{Code: kv.CodeIOError}
		}
		return err
	})},
	{name: "2101 is reported as a conflict", killedBy: "Limits/TransactionTooLarge", change: changeCommit(func(_ *hooked, err error) error {
		if kv.CodeOf(err) == kv.CodeTransactionTooLarge {
			return kv.Error{Code: kv.CodeNotCommitted}
		}
		return err
	})},
	{name: "Commit does nothing", killedBy: "ReadVersion/SeesCommitsOfOtherGoroutines", change: func(h *hooked) {
		h.commit = func() error { return nil }
	}},
	{name: "a transaction that was reset does not commit", killedBy: "UsedDuringCommit/AfterReset", change: func(h *hooked) {
		done := false
		h.commit = func() error {
			if done {
				return nil
			}
			done = true
			return h.OwnedTransaction.Commit()
		}
	}},
	{name: "a commit that conflicts writes anyway", killedBy: "Isolation/NoWriteSkew", change: func(h *hooked) {
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
	{name: "the committed version is one too high", killedBy: "CommittedVersion/SeesWrites", change: func(h *hooked) {
		h.version = func() (int64, error) {
			version, err := h.OwnedTransaction.GetCommittedVersion()
			return version + 1, err
		}
	}},
	{name: "a transaction can be used after its commit", killedBy: "UsedDuringCommit/AfterSuccess", change: changeCommit(func(h *hooked, err error) error {
		h.OwnedTransaction.Reset()
		return err
	})},
	{name: "a read waits until the commit ends", killedBy: "UsedDuringCommit/DuringCommit", change: func(h *hooked) {
		committing := make(chan struct{})
		h.commit = func() error {
			h.get = func([]byte) kv.Future[[]byte] {
				select {
				case <-committing:
				case <-time.After(100 * time.Millisecond): // instead of forever
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
	{name: "Reset does nothing", killedBy: "Reset/DiscardsWrites", change: func(h *hooked) {
		h.reset = func() {}
	}},
	{name: "Cancel does nothing", killedBy: "Cancel/EveryUse", change: func(h *hooked) {
		h.cancel = func() {}
	}},
	{name: "Cancel resets", killedBy: "Cancel/EveryUse", change: func(h *hooked) {
		h.cancel = h.OwnedTransaction.Reset
	}},
	{name: "Cancel commits", killedBy: "Isolation/AbandonedWritesNothing", change: func(h *hooked) {
		h.cancel = func() { _ = h.OwnedTransaction.Commit() }
	}},
	{name: "Reset commits", killedBy: "Isolation/AbandonedWritesNothing", change: func(h *hooked) {
		h.reset = func() {
			_ = h.OwnedTransaction.Commit()
			h.OwnedTransaction.Reset()
		}
	}},
}
