package kvtest

import (
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

const (
	// maxStalls is how often a case is repeated.
	maxStalls = 3
	// minStall is by how much the time of a case must exceed what it passed
	// itself. It is less than the shortest time that a case relies on, half of
	// timeLimit.
	minStall = time.Second
)

// stall detects that the machine stalled during a case, on an engine whose
// transactions age in real time.
type stall struct {
	begin    time.Time
	advanced time.Duration // time that the case passed itself
}

// stalled is the panic value of a case that must be repeated.
type stalled struct{}

// newStall begins to measure, and counts the time that the case passes with
// Advance.
func newStall(store *Store) *stall {
	s := &stall{begin: time.Now()}
	if advance := store.Advance; advance != nil {
		store.Advance = func(d time.Duration) {
			s.advanced += d
			advance(d)
		}
	}
	return s
}

// retryOn panics with stalled if err has the code of an expired transaction, that
// code was not expected, and more time has passed than the case intended.
func (s *stall) retryOn(err error, expected int) {
	if s == nil || kv.CodeOf(err) == expected {
		return
	}
	switch kv.CodeOf(err) {
	case kv.CodeTransactionTooOld, kv.CodeTransactionTimedOut:
		if time.Since(s.begin)-s.advanced > minStall {
			panic(stalled{})
		}
	}
}

// attempt runs a case, and reports whether it must be repeated.
func (c Case) attempt(t *env) (again bool) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case stalled:
			again = true
		default:
			panic(p)
		}
	}()
	c.run(t)
	return false
}
