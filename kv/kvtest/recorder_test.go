package kvtest_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// recorder is a testing.TB that records failures instead of failing the test around
// it.
type recorder struct {
	testing.TB // only for TempDir
	name       string
	ctx        context.Context

	mu       sync.Mutex
	failed   bool
	skipped  bool
	log      strings.Builder
	cleanups []func()
}

// runCase runs a case and returns whether it failed, and its log. A panic or a hang
// is a failure.
func runCase(tb testing.TB, c kvtest.Case, e kvtest.Engine) (failed bool, log string) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &recorder{TB: tb, name: c.Name, ctx: ctx}
	over := r.protect(func() { c.Run(r, e) })
	limit := max(10*e.Timeout, 5*time.Second)
	if !within(over, limit) {
		r.Errorf("%s hangs", c.Name)
	}
	cancel()
	if !within(over, limit) {
		return true, r.logged() // the goroutine is still running; leave it
	}
	for len(r.cleanups) > 0 {
		last := r.cleanups[len(r.cleanups)-1]
		r.cleanups = r.cleanups[:len(r.cleanups)-1]
		<-r.protect(last)
	}
	return r.Failed(), r.logged()
}

// within waits for an event for up to d.
func within(event <-chan struct{}, d time.Duration) bool {
	select {
	case <-event:
		return true
	case <-time.After(d):
		return false
	}
}

// protect runs f on a goroutine, which FailNow may end.
func (r *recorder) protect(f func()) (over <-chan struct{}) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				r.Errorf("panic: %v", p)
			}
		}()
		f()
	}()
	return done
}

func (r *recorder) Name() string             { return r.name }
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Helper()                  {}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

func (r *recorder) logged() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.String()
}

func (r *recorder) Skipped() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.skipped
}

func (r *recorder) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(&r.log, format+"\n", args...)
}

func (r *recorder) Errorf(format string, args ...any) {
	r.Logf(format, args...)
	r.Fail()
}

func (r *recorder) Fail() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = true
}

func (r *recorder) FailNow() {
	r.Fail()
	runtime.Goexit()
}

func (r *recorder) SkipNow() {
	r.mu.Lock()
	r.skipped = true
	r.mu.Unlock()
	runtime.Goexit()
}

func (r *recorder) Log(args ...any)                   { r.Logf("%s", fmt.Sprintln(args...)) }
func (r *recorder) Error(args ...any)                 { r.Errorf("%s", fmt.Sprintln(args...)) }
func (r *recorder) Fatal(args ...any)                 { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); runtime.Goexit() }
func (r *recorder) Skip(args ...any)                  { r.Log(args...); r.SkipNow() }
func (r *recorder) Skipf(format string, args ...any)  { r.Logf(format, args...); r.SkipNow() }
