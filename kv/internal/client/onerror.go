package client

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// The back-off between retries: each waits a random part of a bound that
// doubles.
const (
	minBackoff = 10 * time.Millisecond
	maxBackoff = time.Second
	// maxBackoffMemory bounds it where a proxy is out of memory.
	maxBackoffMemory = 30 * time.Second
	// versionDelay is the flat wait after an error of the read version, which
	// only asks for a fresh one.
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
		return tr.instead(e, err)
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
		// Why it ended early is looked up below.
		tr.unlocked(func() { _ = tr.store.Sleep(life, delay) })
	}
	tr.expire()
	switch why := life.failure(); {
	case life != tr.life: // reset by somebody else meanwhile
		return kv.Error{Code: kv.CodeTransactionCancelled, Committing: e.Outcome() != kv.NotCommitted, Err: err}
	case tr.failure != nil:
		return tr.instead(e, err)
	case why != nil: // the context
		return kv.Error{Code: e.Code, Committing: e.Committing, Err: why.Err}
	}
	tr.restart()
	return nil
}

// instead returns the failure of the transaction in the place of err, and lets
// it say no less than err does about what may have been committed.
func (tr *Transaction) instead(e kv.Error, err error) error {
	var failure kv.Error
	if !errors.As(tr.failure, &failure) || failure.Code == e.Code {
		return err
	}
	if e.Outcome() != kv.NotCommitted {
		failure.Committing, failure.Err = true, err
	}
	return failure
}

// nextDelay returns how long to wait before the next attempt.
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
