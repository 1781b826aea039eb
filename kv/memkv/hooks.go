package memkv

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// Hooks intercept the calls of clients. They run on the caller's goroutine while
// the database is not locked, so they may wait, yield to a scheduler and use the
// database. A nil hook does nothing.
type Hooks struct {
	// Before is called before the store acts. While it waits, the call has not
	// reached the store. If ctx ends, it should return ctx.Err(). ctx.Deadline is
	// the time limit on the client's clock.
	//
	// If Before returns an error, the store does not act and the client gets the
	// error. A kv.Error is passed on, so 1021 means "unknown, and not applied". Any
	// other error counts as the end of the wait. After an error on a commit, the
	// client considers the outcome open, unless the code means that the transaction
	// did not commit.
	//
	// On a commit, Before may call Call.Detach to apply the commit later.
	Before func(ctx context.Context, c *Call) error

	// After is called when the store has acted. The call holds its result. After
	// may wait, which delays the result. If it returns an error, the client gets
	// the error instead of the result. For an applied commit, 1021, 1031 or 1039 is
	// a lost acknowledgement. If ctx ended while the result was on its way, After
	// may return ctx.Err(). The outcome of a commit is then Unsettled.
	After func(ctx context.Context, c *Call) error

	// Changed is called for each change of a watched key, on the goroutine of the
	// commit. If it returns false, the watch does not fire. Call Watch.Notify later
	// to delay the notification, or never to lose it. To fire or fail a watch
	// without a change, keep the Watch of its CallWatch and call Notify.
	Changed func(w *Watch) bool
}

// CallKind is the kind of a call.
type CallKind uint8

const (
	// CallReadVersion requests a read version without a read.
	CallReadVersion CallKind = iota + 1
	// CallRead is a wave of reads. If Version is 0, it also takes the read version.
	CallRead
	// CallCommit is a commit with writes or write conflicts.
	CallCommit
	// CallWatch registers a watch after a successful commit. If a hook returns an
	// error, the watch fails.
	CallWatch
)

// String returns the kind in words.
func (k CallKind) String() string {
	switch k {
	case CallReadVersion:
		return "read version"
	case CallRead:
		return "read"
	case CallCommit:
		return "commit"
	case CallWatch:
		return "watch"
	default:
		return "unknown call"
	}
}

// Call describes a call of a client. It refers to memory of the transaction, so do
// not keep or modify it.
type Call struct {
	Kind        CallKind
	Client      string // the name of the Client
	Transaction uint64 // the same for all attempts of a transaction
	Label       string // set with WithLabel

	Version int64   // the read version, or 0 if it is not taken yet
	Reads   []*Read // of CallRead; After sees their results
	Commit  *Commit // of CallCommit
	Watch   *Watch  // of CallWatch

	// Result and Err are the store's result, for After.
	Result CommitResult
	Err    error

	session *session
	late    *LateCommit
}

// Detach separates a commit from its call, so that LateCommit.Land can apply it at
// any later time. Hooks.Before must then return an error that leaves the commit
// unsettled: 1031, 1039 or ctx.Err(). Detach panics if it is called outside of
// Hooks.Before or for a call that is not a commit.
func (c *Call) Detach() *LateCommit {
	if c.Kind != CallCommit || c.Err != nil || c.Result.Version != 0 {
		panic("memkv: Detach must be called in Hooks.Before of a commit")
	}
	if c.late == nil {
		c.late = &LateCommit{session: c.session, commit: cloneCommit(c.Commit)}
	}
	return c.late
}

// LateCommit is a commit that has not been applied although its client already has
// a result.
type LateCommit struct {
	session *session
	commit  *client.Commit

	once   sync.Once
	result CommitResult
	err    error
}

// Land checks and applies the commit as if it reached the store now. Later calls
// return the result of the first.
func (l *LateCommit) Land() (CommitResult, error) {
	l.once.Do(func() {
		l.result, _, l.err = l.session.apply(l.commit, true)
		l.commit = nil
	})
	return l.result, l.err
}

func cloneCommit(c *client.Commit) *client.Commit {
	clone := &client.Commit{
		ReadVersion:    c.ReadVersion,
		ReadConflicts:  cloneRanges(c.ReadConflicts),
		WriteConflicts: cloneRanges(c.WriteConflicts),
		Mutations:      make([]client.Mutation, len(c.Mutations)),
	}
	for i, m := range c.Mutations {
		m.Key, m.Value = bytes.Clone(m.Key), append([]byte{}, m.Value...)
		clone.Mutations[i] = m
	}
	return clone
}

// hookError converts the error of a hook. Unless the code of a commit's error means
// that it did not commit, Committing is set, because the client cannot know how far
// it got.
func hookError(err error, kind CallKind) error {
	var e kv.Error
	if !errors.As(err, &e) {
		e = kv.Error{Code: kv.CodeTransactionCancelled, Err: err}
	}
	if kind == CallCommit && !e.RetryableNotCommitted() {
		e.Committing = true
	}
	return e
}
