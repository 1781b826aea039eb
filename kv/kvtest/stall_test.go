package kvtest

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// TestStall checks that only an unexpected 1007 or 1031 in a case that took too
// long makes it be repeated.
func TestStall(t *testing.T) {
	tooOld, timedOut := kv.Error{Code: kv.CodeTransactionTooOld}, kv.Error{Code: kv.CodeTransactionTimedOut}
	late := &stall{begin: time.Now().Add(-10 * time.Second)}
	require.Panics(t, func() { late.retryOn(tooOld, 0) })
	require.Panics(t, func() { late.retryOn(timedOut, kv.CodeNotCommitted) })
	late.retryOn(nil, 0)
	late.retryOn(nil, kv.CodeTransactionTooOld)
	late.retryOn(tooOld, kv.CodeTransactionTooOld)
	late.retryOn(kv.Error{Code: kv.CodeNotCommitted}, 0)
	store := Store{Advance: func(time.Duration) {}}
	passed := newStall(&store)
	passed.begin = late.begin
	store.Advance(10 * time.Second)
	passed.retryOn(tooOld, 0)
	(*stall)(nil).retryOn(tooOld, 0)
}

// TestStalledCaseIsRepeated checks that a case is repeated a few times, and then
// fails.
func TestStalledCaseIsRepeated(t *testing.T) {
	engine := Engine{RealTime: true, Open: func(testing.TB) Store { return Store{} }}
	run := func(stalls int) (runs int, failed bool) {
		over, tb := make(chan struct{}), &failing{TB: t}
		go func() {
			defer close(over)
			Case{run: func(t *env) {
				if runs++; runs <= stalls {
					if t.stall != nil {
						t.stall.begin = time.Now().Add(-10 * time.Second)
					}
					t.succeeds(kv.Error{Code: kv.CodeTransactionTooOld}, "Get")
				}
			}}.Run(tb, engine)
		}()
		<-over
		return runs, tb.failed
	}
	for stalls := range maxStalls + 1 {
		runs, failed := run(stalls)
		require.Equal(t, stalls+1, runs)
		require.False(t, failed)
	}
	runs, failed := run(maxStalls + 1)
	require.Equal(t, maxStalls+1, runs)
	require.True(t, failed)
}

// failing is a testing.TB that records a failure.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Errorf(string, ...any) { f.failed = true }
func (f *failing) FailNow()              { runtime.Goexit() }
