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

// T is what a case works with: its test, its database, and short words for
// what most cases do. Keys and values are strings here; every key gets the
// prefix of the store.
type T struct {
	testing.TB
	Store
	ctx      context.Context
	patience time.Duration
	stall    *stall // nil on an engine whose time is injected
}

// newT opens a database for a case and checks that it can do what is needed.
func newT(tb testing.TB, e Engine, c Case) *T {
	tb.Helper()
	store := e.Open(tb)
	for _, known := range capabilities {
		if _, lacks := e.Lacks[known.name]; lacks && store.handles(known.name) {
			tb.Fatalf("%s: Lacks names %q, and the Store of Open has a handle for it", e.Name, known.name)
		}
	}
	for _, need := range c.Needs {
		if !store.has(need) {
			tb.Fatalf("%s: the Store of Open has no handle for %q: provide it, or give the reason in Lacks", e.Name, need)
		}
	}
	patience := e.Patience
	if patience == 0 {
		patience = 20 * time.Second
	}
	t := &T{TB: tb, Store: store, ctx: tb.Context(), patience: patience}
	if e.RealTime {
		t.stall = watchStall(&t.Store)
	}
	return t
}

// key returns a key of the case.
func (t *T) key(name string) []byte {
	return append(append([]byte{}, t.Prefix...), name...)
}

// begin creates a transaction, which ends with the case.
func (t *T) begin() kv.OwnedTransaction {
	t.Helper()
	return t.beginIn(t.ctx)
}

// beginIn is begin in a context of its own.
func (t *T) beginIn(ctx context.Context) kv.OwnedTransaction {
	t.Helper()
	tr, err := t.CreateTransaction(ctx)
	require.NoError(t, err, "CreateTransaction")
	t.Cleanup(tr.Cancel)
	return tr
}

// pinned creates a transaction that has its read version.
func (t *T) pinned() kv.OwnedTransaction {
	t.Helper()
	tr := t.begin()
	t.readVersion(tr)
	return tr
}

// readVersion waits for the read version of tr.
func (t *T) readVersion(tr kv.ReadTransaction) int64 {
	t.Helper()
	version, err := tr.GetReadVersion().Get()
	t.succeeds(err, "GetReadVersion")
	return version
}

// put commits key and value pairs in a transaction of its own, and returns
// the version of the commit.
func (t *T) put(pairs ...string) int64 {
	t.Helper()
	tr := t.begin()
	for i := 0; i < len(pairs); i += 2 {
		tr.Set(t.key(pairs[i]), []byte(pairs[i+1]))
	}
	return t.commit(tr)
}

// drop clears keys in a transaction of its own.
func (t *T) drop(keys ...string) {
	t.Helper()
	tr := t.begin()
	for _, key := range keys {
		tr.Clear(t.key(key))
	}
	t.commit(tr)
}

// commit commits tr and returns the committed version.
func (t *T) commit(tr kv.OwnedTransaction) int64 {
	t.Helper()
	t.succeeds(tr.Commit(), "Commit")
	version, err := tr.GetCommittedVersion()
	require.NoError(t, err, "GetCommittedVersion")
	return version
}

// commitFails commits tr and wants the error code.
func (t *T) commitFails(tr kv.OwnedTransaction, code int) {
	t.Helper()
	t.fails(tr.Commit(), code, "Commit")
}

// succeeds wants no error of an operation.
func (t *T) succeeds(err error, what string) {
	t.Helper()
	t.stall.excuse(err, 0)
	require.NoError(t, err, what)
}

// fails wants err to be an Error of that code.
func (t *T) fails(err error, code int, what string) {
	t.Helper()
	t.stall.excuse(err, code)
	require.Error(t, err, "%s should fail with %d", what, code)
	require.Equal(t, code, kv.CodeOf(err), "%s: %v", what, err)
}

// get reads a key: its value, or absent.
func (t *T) get(tr kv.ReadTransaction, key string) string {
	t.Helper()
	value, err := tr.Get(t.key(key)).Get()
	t.succeeds(err, "Get "+key)
	if value == nil {
		return absent
	}
	return string(value)
}

// absent is what get returns for a key that is not there. No case writes it.
const absent = "(absent)"

// getFails reads a key and wants the error code.
func (t *T) getFails(tr kv.ReadTransaction, key string, code int) {
	t.Helper()
	_, err := tr.Get(t.key(key)).Get()
	t.fails(err, code, "Get "+key)
}

// scan reads the range from begin to end as "key=value" pairs with a space
// between them. An end of "" is the end of the case's keys.
func (t *T) scan(tr kv.ReadTransaction, begin, end string, opts kv.RangeOptions) string {
	t.Helper()
	rows, err := tr.GetRange(t.key(begin), t.end(end), opts).Get()
	t.succeeds(err, fmt.Sprintf("GetRange %q to %q", begin, end))
	parts := make([]string, len(rows))
	for i, row := range rows {
		key, ok := strings.CutPrefix(string(row.Key), string(t.Prefix))
		require.True(t, ok, "GetRange %q to %q answers the foreign key %q", begin, end, row.Key)
		parts[i] = key + "=" + string(row.Value)
	}
	return strings.Join(parts, " ")
}

// all scans forwards and without a limit.
func (t *T) all(tr kv.ReadTransaction, begin, end string) string {
	t.Helper()
	return t.scan(tr, begin, end, kv.RangeOptions{})
}

// scanFails reads a range and wants the error code.
func (t *T) scanFails(tr kv.ReadTransaction, begin, end string, code int) {
	t.Helper()
	_, err := tr.GetRange(t.key(begin), t.end(end), kv.RangeOptions{}).Get()
	t.fails(err, code, fmt.Sprintf("GetRange %q to %q", begin, end))
}

// end returns the end of a range. "" is above every key that a case uses.
func (t *T) end(name string) []byte {
	if name == "" {
		name = "\xfe"
	}
	return t.key(name)
}

// stored reads a key in a transaction of its own.
func (t *T) stored(key string) string {
	t.Helper()
	return t.get(t.begin(), key)
}

// storedAll reads every key of the case in a transaction of its own.
func (t *T) storedAll() string {
	t.Helper()
	return t.all(t.begin(), "", "")
}

// await waits for an event that ought to come without any further doing.
func (t *T) await(event <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(t.patience):
		t.Fatalf("nothing after %v: %s", t.patience, what)
	}
}

// background runs f beside the case and returns a function that waits for its
// end and returns its error. f must not end the test itself.
func (t *T) background(f func() error) (wait func() error) {
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		err = f()
	}()
	return func() error {
		t.Helper()
		t.await(done, "the end of what runs in the background")
		return err
	}
}

// together runs f n times at once and wants each to succeed.
func (t *T) together(n int, f func(i int) error) {
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
	t.await(done, "the end of what runs together")
	for i, err := range errs {
		require.NoError(t, err, "goroutine %d", i)
	}
}

// open reports whether an event has not happened yet.
func open(event <-chan struct{}) bool {
	select {
	case <-event:
		return false
	default:
		return true
	}
}
