package kv

import "errors"

// RetryLoop runs fn in tr and commits it, by the rules that Database.Transact
// states. It owns tr: when it returns, tr is cancelled. Engines build their
// Transact on it.
//
// Where it gives up although an earlier attempt may have been committed, the
// error says so: it has that attempt's code, with what ended the loop as its
// cause, so that OutcomeOf does not take the writes for absent.
func RetryLoop(tr OwnedTransaction, fn func(tr Transaction) error) error {
	committed := false
	defer func() {
		if !committed {
			tr.Reset() // else a watch of fn would wait for ever
		}
		tr.Cancel()
	}()
	var doubt Error // of the last attempt that may have been committed
	for {
		err := fn(tr)
		if err == nil {
			err = tr.Commit()
		}
		if err == nil {
			committed = true
			return nil
		}
		failed := err
		if err = tr.OnError(failed); err != nil {
			return doubtful(doubt, err)
		}
		if e, ok := errors.AsType[Error](failed); ok && e.Outcome() != Absent {
			doubt = e
		}
	}
}

// doubtful returns err, and says so where an earlier attempt may have been
// committed and err would hide it.
func doubtful(doubt Error, err error) error {
	if doubt.Code == 0 || OutcomeOf(err) != Absent {
		return err
	}
	return Error{Code: doubt.Code, Committing: doubt.Committing, Err: err}
}

// ReadRetryLoop is RetryLoop for reads: it commits nothing.
func ReadRetryLoop(tr OwnedTransaction, fn func(tr ReadTransaction) error) error {
	defer tr.Cancel()
	for {
		err := fn(tr)
		if err == nil {
			return nil
		}
		if err = tr.OnError(err); err != nil {
			return err
		}
	}
}
