package kvtest

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// TestStall: of a case that took longer than it meant, errors of old age are
// excused, where they are not what is expected.
func TestStall(t *testing.T) {
	tooOld, timedOut := kv.Error{Code: kv.CodeTransactionTooOld}, kv.Error{Code: kv.CodeTransactionTimedOut}
	late := &stall{begin: time.Now().Add(-10 * time.Second)}
	require.Panics(t, func() { late.excuse(tooOld, 0) })
	require.Panics(t, func() { late.excuse(timedOut, kv.CodeNotCommitted) })
	late.excuse(nil, 0)
	late.excuse(nil, kv.CodeTransactionTooOld)
	late.excuse(tooOld, kv.CodeTransactionTooOld)
	late.excuse(kv.Error{Code: kv.CodeNotCommitted}, 0)
	store := Store{Advance: func(time.Duration) {}}
	meant := watchStall(&store)
	meant.begin = late.begin
	store.Advance(10 * time.Second)
	meant.excuse(tooOld, 0)
	(*stall)(nil).excuse(tooOld, 0)
}

// TestStalledCaseBeginsAnew: a few times, and then it fails.
func TestStalledCaseBeginsAnew(t *testing.T) {
	engine := Engine{RealTime: true, Open: func(testing.TB) Store { return Store{} }}
	run := func(stalls int) (runs int, failed bool) {
		over, tb := make(chan struct{}), &failing{TB: t}
		go func() {
			defer close(over)
			Case{run: func(t *T) {
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
	for stalls := range stallsExcused + 1 {
		runs, failed := run(stalls)
		require.Equal(t, stalls+1, runs)
		require.False(t, failed)
	}
	runs, failed := run(stallsExcused + 1)
	require.Equal(t, stallsExcused+1, runs)
	require.True(t, failed)
}

// failing is a test that may fail.
type failing struct {
	testing.TB
	failed bool
}

func (f *failing) Errorf(string, ...any) { f.failed = true }
func (f *failing) FailNow()              { runtime.Goexit() }
