package client

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// Bounds of the back-off between retries. Each wait is a random part of a bound
// that doubles with each retry.
const (
	minBackoff = 10 * time.Millisecond
	maxBackoff = time.Second
	// maxBackoffMemory is the bound after an error that reports a proxy out of
	// memory.
	maxBackoffMemory = 30 * time.Second
	// versionDelay is the fixed wait after 1007 and 1009. The retry only needs a
	// new read version.
	versionDelay = 10 * time.Millisecond
)

// OnError implements kv.OwnedTransaction.
func (tr *Transaction) OnError(err error) error {
	var e kv.Error
	if !errors.As(err, &e) {
		return err
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.expire()
	if tr.failure != nil {
		return tr.failureFor(e, err)
	}
	if tr.retryLimit >= 0 && tr.retries >= tr.retryLimit {
		tr.fail(kv.Error{Code: kv.CodeTransactionCancelled})
		return err
	}
	tr.retries++
	if !e.OnErrorRetries() {
		tr.fail(kv.Error{Code: kv.CodeTransactionCancelled})
		return err
	}
	life, delay := tr.life, tr.nextDelay(e.Code)
	if life.failure() == nil {
		// An early end is handled below.
		tr.unlocked(func() { _ = tr.store.Sleep(life, delay) })
	}
	tr.expire()
	switch why := life.failure(); {
	case life != tr.life: // reset concurrently
		return kv.Error{Code: kv.CodeTransactionCancelled, Committing: e.Outcome() != kv.NotCommitted, Err: err}
	case tr.failure != nil:
		return tr.failureFor(e, err)
	case why != nil: // the context ended
		return kv.Error{Code: e.Code, Committing: e.Committing, Err: why.Err}
	}
	tr.restart()
	return nil
}

// failureFor returns the failure of the transaction instead of err. If the commit may
// have succeeded according to err, so does the result.
func (tr *Transaction) failureFor(e kv.Error, err error) error {
	var failure kv.Error
	if !errors.As(tr.failure, &failure) || failure.Code == e.Code {
		return err
	}
	if e.Outcome() != kv.NotCommitted {
		failure.Committing, failure.Err = true, err
	}
	return failure
}

// nextDelay returns the wait before the next attempt.
func (tr *Transaction) nextDelay(code int) time.Duration {
	switch code {
	case kv.CodeTransactionTooOld, kv.CodeFutureVersion:
		return versionDelay
	}
	limit := maxBackoff
	if code == kv.CodeCommitProxyMemory || code == kv.CodeGRVProxyMemory {
		limit = maxBackoffMemory
	}
	delay := time.Duration(tr.store.Jitter() * float64(tr.backoff))
	tr.backoff = min(2*tr.backoff, limit)
	return delay
}
