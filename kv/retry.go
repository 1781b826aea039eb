package kv

// RetryLoop runs fn in tr and commits it, by the rules that Database.Transact
// states. It owns tr: when it returns, tr is cancelled. Engines build their
// Transact on it.
func RetryLoop(tr OwnedTransaction, fn func(tr Transaction) error) error {
	committed := false
	defer func() {
		if !committed {
			tr.Reset() // else a watch of fn would wait for ever
		}
		tr.Cancel()
	}()
	for {
		err := fn(tr)
		if err == nil {
			err = tr.Commit()
		}
		if err == nil {
			committed = true
			return nil
		}
		if err = tr.OnError(err); err != nil {
			return err
		}
	}
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
