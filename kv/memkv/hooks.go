package memkv

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// Hooks let a simulator decide what happens to each call of the store. They
// run in the caller's goroutine and without any lock of the database, so they
// may wait, yield to a scheduler, and call the database. An unset hook does
// nothing.
type Hooks struct {
	// Before is called before the store acts. It may wait: for as long as it does,
	// the call has not reached the store. Where ctx ends meanwhile it should
	// return ctx.Err(); ctx.Deadline is the time limit on the client's clock. An
	// error is the call's answer, and the store does not act: a kv.Error is passed
	// on (so 1021 is "unknown, and not applied"), any other error counts as the
	// end of the wait. An answer to a commit other than "surely not applied"
	// leaves the client in doubt.
	//
	// On a commit it may take the call apart with Call.Detach, and let it land
	// later.
	Before func(ctx context.Context, c *Call) error

	// After is called when the store has acted, with what it answers in the
	// call. It may wait, which delays the answer. An error takes the answer's
	// place: of a commit that was applied, 1021, 1031 or 1039 is a lost
	// acknowledgement. It may also return ctx.Err(), when ctx ended while the
	// answer was on its way; that leaves a commit unsettled.
	After func(ctx context.Context, c *Call) error

	// Changed is called with each change of a watch's key, in the goroutine of the
	// commit. Where it returns false the watch is not told: to delay the news,
	// call Watch.Notify later; to lose it, do not. (To fire or fail a watch for no
	// reason, keep the Watch of its CallWatch and call Notify.)
	Changed func(w *Watch) bool
}

// CallKind says what a call asks for.
type CallKind uint8

const (
	// CallReadVersion asks for a read version alone.
	CallReadVersion CallKind = iota + 1
	// CallRead is a wave of reads; where Version is 0 it takes the read version
	// first.
	CallRead
	// CallCommit is a commit that writes, or adds a write conflict.
	CallCommit
	// CallWatch makes a watch active. It comes after the commit that succeeded,
	// and an error of a hook fails the watch.
	CallWatch
)

// String returns the name of the kind in words.
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

// Call describes a call of the store. What it refers to is the transaction's:
// read it, and do not keep or change it.
type Call struct {
	Kind        CallKind
	Client      string // the name of the Client
	Transaction uint64 // the same for all attempts of a transaction
	Label       string // of WithLabel

	Version int64   // the read version; 0 before it is taken
	Reads   []*Read // of CallRead; After sees the answers in them
	Commit  *Commit // of CallCommit
	Watch   *Watch  // of CallWatch

	// Result and Err are the store's answer, for After.
	Result CommitResult
	Err    error

	session *session
	late    *LateCommit
}

// Detach takes a commit out of its call. The hook Before then answers the
// client with an error (one that leaves the commit unsettled: 1031, 1039, or
// ctx.Err()), and Land lets the commit happen at any later time. It panics
// outside of Before of a CallCommit.
func (c *Call) Detach() *LateCommit {
	if c.Kind != CallCommit || c.Err != nil || c.Result.Version != 0 {
		panic("memkv: Detach is for the hook Before, and for commits")
	}
	if c.late == nil {
		c.late = &LateCommit{session: c.session, commit: cloneCommit(c.Commit)}
	}
	return c.late
}

// LateCommit is a commit that is on its way while its client has an answer
// already.
type LateCommit struct {
	session *session
	commit  *client.Commit

	once   sync.Once
	result CommitResult
	err    error
}

// Land lets the commit reach the store: it is checked and applied as of now.
// Further calls return the first one's answer.
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

// hookError is the answer that a hook's error makes. A client whose commit was
// under way cannot know how far it got: unless the code says that it was not
// applied, the answer leaves it open.
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
