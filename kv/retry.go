package kv

import "errors"

// RetryLoop runs fn in tr and commits tr, as Database.Transact describes. Engines
// implement Transact with it. RetryLoop owns tr and cancels it before it returns.
//
// If RetryLoop gives up after an attempt that may have committed, the error keeps
// that attempt's code and wraps the error that ended the loop. OutcomeOf then does
// not report NotCommitted.
func RetryLoop(tr OwnedTransaction, fn func(tr Transaction) error) error {
	committed := false
	defer func() {
		if !committed {
			tr.Reset() // ends the watches that fn registered
		}
		tr.Cancel()
	}()
	var maybe Error // the last attempt that may have committed
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
			return keepOutcome(maybe, err)
		}
		if e, ok := errors.AsType[Error](failed); ok && e.Outcome() != NotCommitted {
			maybe = e
		}
	}
}

// keepOutcome returns err. If an earlier attempt may have committed and err does
// not say so, the result has that attempt's outcome and wraps err.
func keepOutcome(maybe Error, err error) error {
	if maybe.Code == 0 || OutcomeOf(err) != NotCommitted {
		return err
	}
	return Error{Code: maybe.Code, Committing: maybe.Committing, Err: err}
}

// ReadRetryLoop is RetryLoop for reads. It commits nothing.
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
