package kvtest

import (
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

const (
	// stallsExcused is how often a case begins anew.
	stallsExcused = 3
	// stallExcuse is how much longer than meant a case has to have taken. The
	// shortest time that one counts on is half of timeLimit.
	stallExcuse = time.Second
)

// stall tells a machine that stood still from an engine that is wrong, where
// transactions grow old by real time.
type stall struct {
	begin time.Time
	meant time.Duration // what the case let pass itself
}

// stalled is what a case panics with that ought to begin anew.
type stalled struct{}

// watchStall counts the time that a case lets pass with the store's Advance.
func watchStall(store *Store) *stall {
	s := &stall{begin: time.Now()}
	if advance := store.Advance; advance != nil {
		store.Advance = func(d time.Duration) {
			s.meant += d
			advance(d)
		}
	}
	return s
}

// excuse ends the attempt where err is not of the code that was expected but says
// that too much time has passed, and more has than the case meant.
func (s *stall) excuse(err error, expected int) {
	if s == nil || kv.CodeOf(err) == expected {
		return
	}
	switch kv.CodeOf(err) {
	case kv.CodeTransactionTooOld, kv.CodeTransactionTimedOut:
		if time.Since(s.begin)-s.meant > stallExcuse {
			panic(stalled{})
		}
	}
}

// attempt runs a case, and reports whether it has to begin anew.
func (c Case) attempt(t *T) (again bool) {
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
