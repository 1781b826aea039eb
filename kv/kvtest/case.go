package kvtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// env is the environment of a case: its test, its database, and helpers for common
// steps. Keys and values are strings here. Every key gets the prefix of the store.
type env struct {
	testing.TB
	Store
	ctx     context.Context
	timeout time.Duration
	stall   *stall // nil if the engine's time is injected
}

// newEnv opens a database for a case and checks its capabilities.
func newEnv(tb testing.TB, e Engine, c Case) *env {
	tb.Helper()
	store := e.Open(tb)
	for _, known := range capabilities {
		if _, lacks := e.Lacks[known]; lacks && store.handles(known) {
			tb.Fatalf("%s: Lacks names %q, but the Store that Open returned has a handle for it", e.Name, known)
		}
	}
	for _, need := range c.Needs {
		if !store.has(need) {
			tb.Fatalf("%s: the Store that Open returned has no handle for %q: provide it, or name it in Lacks with a reason", e.Name, need)
		}
	}
	timeout := e.Timeout
	if timeout == 0 {
		timeout = 20 * time.Second
	}
	t := &env{TB: tb, Store: store, ctx: tb.Context(), timeout: timeout}
	if e.RealTime {
		t.stall = newStall(&t.Store)
	}
	return t
}

// key returns the key with the store's prefix.
func (t *env) key(name string) []byte {
	return append(append([]byte{}, t.Prefix...), name...)
}

// begin begins a transaction that is cancelled when the case ends.
func (t *env) begin() kv.OwnedTransaction {
	t.Helper()
	return t.beginIn(t.ctx)
}

// beginIn is begin with its own context.
func (t *env) beginIn(ctx context.Context) kv.OwnedTransaction {
	t.Helper()
	tr, err := t.CreateTransaction(ctx)
	require.NoError(t, err, "CreateTransaction")
	t.Cleanup(tr.Cancel)
	return tr
}

// pinned begins a transaction and takes its read version.
func (t *env) pinned() kv.OwnedTransaction {
	t.Helper()
	tr := t.begin()
	t.readVersion(tr)
	return tr
}

// readVersion returns the read version of tr.
func (t *env) readVersion(tr kv.ReadTransaction) int64 {
	t.Helper()
	version, err := tr.GetReadVersion().Get()
	t.succeeds(err, "GetReadVersion")
	return version
}

// put commits pairs of keys and values in one transaction, and returns its version.
func (t *env) put(pairs ...string) int64 {
	t.Helper()
	tr := t.begin()
	for i := 0; i < len(pairs); i += 2 {
		tr.Set(t.key(pairs[i]), []byte(pairs[i+1]))
	}
	return t.commit(tr)
}

// drop clears keys in one transaction.
func (t *env) drop(keys ...string) {
	t.Helper()
	tr := t.begin()
	for _, key := range keys {
		tr.Clear(t.key(key))
	}
	t.commit(tr)
}

// commit commits tr and returns the committed version.
func (t *env) commit(tr kv.OwnedTransaction) int64 {
	t.Helper()
	t.succeeds(tr.Commit(), "Commit")
	version, err := tr.GetCommittedVersion()
	require.NoError(t, err, "GetCommittedVersion")
	return version
}

// commitFails commits tr and requires an error with that code.
func (t *env) commitFails(tr kv.OwnedTransaction, code int) {
	t.Helper()
	t.fails(tr.Commit(), code, "Commit")
}

// succeeds requires that an operation returned no error.
func (t *env) succeeds(err error, what string) {
	t.Helper()
	t.stall.retryOn(err, 0)
	require.NoError(t, err, what)
}

// fails requires that err is an Error with that code.
func (t *env) fails(err error, code int, what string) {
	t.Helper()
	t.stall.retryOn(err, code)
	require.Error(t, err, "%s should fail with %d", what, code)
	require.Equal(t, code, kv.CodeOf(err), "%s: %v", what, err)
}

// get returns the value of a key, or absent.
func (t *env) get(tr kv.ReadTransaction, key string) string {
	t.Helper()
	value, err := tr.Get(t.key(key)).Get()
	t.succeeds(err, "Get "+key)
	if value == nil {
		return absent
	}
	return string(value)
}

// absent is the result of get for a key that does not exist. No case writes this
// value.
const absent = "(absent)"

// getFails reads a key and requires an error with that code.
func (t *env) getFails(tr kv.ReadTransaction, key string, code int) {
	t.Helper()
	_, err := tr.Get(t.key(key)).Get()
	t.fails(err, code, "Get "+key)
}

// scan reads the range from begin to end, and returns "key=value" pairs separated
// by spaces. If end is "", it reads to the end of the case's keys.
func (t *env) scan(tr kv.ReadTransaction, begin, end string, opts kv.RangeOptions) string {
	t.Helper()
	rows, err := tr.GetRange(t.key(begin), t.end(end), opts).Get()
	t.succeeds(err, fmt.Sprintf("GetRange %q to %q", begin, end))
	parts := make([]string, len(rows))
	for i, row := range rows {
		key, ok := strings.CutPrefix(string(row.Key), string(t.Prefix))
		require.True(t, ok, "GetRange %q to %q returns %q, which is outside the prefix", begin, end, row.Key)
		parts[i] = key + "=" + string(row.Value)
	}
	return strings.Join(parts, " ")
}

// all scans forwards without a limit.
func (t *env) all(tr kv.ReadTransaction, begin, end string) string {
	t.Helper()
	return t.scan(tr, begin, end, kv.RangeOptions{})
}

// scanFails reads a range and requires an error with that code.
func (t *env) scanFails(tr kv.ReadTransaction, begin, end string, code int) {
	t.Helper()
	_, err := tr.GetRange(t.key(begin), t.end(end), kv.RangeOptions{}).Get()
	t.fails(err, code, fmt.Sprintf("GetRange %q to %q", begin, end))
}

// end returns the end of a range. "" means the end of the case's keys.
func (t *env) end(name string) []byte {
	if name == "" {
		name = "\xfe"
	}
	return t.key(name)
}

// stored reads a key in a new transaction.
func (t *env) stored(key string) string {
	t.Helper()
	return t.get(t.begin(), key)
}

// storedAll reads all keys of the case in a new transaction.
func (t *env) storedAll() string {
	t.Helper()
	return t.all(t.begin(), "", "")
}

// await waits for an event, and fails the test after a timeout.
func (t *env) await(event <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(t.timeout):
		t.Fatalf("timed out after %v: %s", t.timeout, what)
	}
}

// background runs f on another goroutine, and returns a function that waits for it
// and returns its error. f must not call FailNow.
func (t *env) background(f func() error) (wait func() error) {
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		err = f()
	}()
	return func() error {
		t.Helper()
		t.await(done, "the operation in the background did not return")
		return err
	}
}

// concurrently runs f n times concurrently and requires that each run succeeds.
func (t *env) concurrently(n int, f func(i int) error) {
	t.Helper()
	errs := make([]error, n)
	done := make(chan struct{})
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { errs[i] = f(i) })
	}
	go func() {
		defer close(done)
		group.Wait()
	}()
	t.await(done, "the concurrent operations did not return")
	for i, err := range errs {
		require.NoError(t, err, "goroutine %d", i)
	}
}

// open reports whether event has not happened yet.
func open(event <-chan struct{}) bool {
	select {
	case <-event:
		return false
	default:
		return true
	}
}
