package memkv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/testseed"
	"github.com/fdbelection/fdbelection/kv"
)

// observed is what one committed transaction read.
type observed struct {
	point map[string]string // from key to value; "" means that the key does not exist
	spans []observedSpan
}

// observedSpan is the result of a range read.
type observedSpan struct {
	begin, end string
	opts       kv.RangeOptions
	rows       []string
}

// stressKeys is small, so that transactions conflict.
const stressKeys = 12

// stressClient runs random transactions and records what they read.
type stressClient struct {
	name string
	db   *Client
	rng  *rand.Rand
	seen map[string]*observed
}

func (c *stressClient) run(ctx context.Context, n int) error {
	for i := range n {
		id := fmt.Sprintf("%s-%d", c.name, i)
		var saw *observed
		err := c.db.Transact(ctx, func(tr kv.Transaction) (err error) {
			saw, err = c.attempt(tr, id)
			return err
		})
		if err != nil {
			return err
		}
		c.seen[id] = saw
	}
	return nil
}

func (c *stressClient) key() []byte { return fmt.Appendf(nil, "k%02d", c.rng.IntN(stressKeys)) }

// attempt reads a few keys and ranges, and then writes a few keys.
func (c *stressClient) attempt(tr kv.Transaction, id string) (*observed, error) {
	saw := &observed{point: map[string]string{}}
	points := map[string]kv.Future[[]byte]{}
	for range c.rng.IntN(4) {
		k := c.key()
		points[string(k)] = tr.Get(k)
	}
	spans := map[*observedSpan]kv.Future[[]kv.KeyValue]{}
	for range c.rng.IntN(2) {
		begin, end := c.key(), c.key()
		if bytes.Compare(begin, end) > 0 {
			begin, end = end, begin
		}
		s := &observedSpan{begin: string(begin), end: string(end), opts: kv.RangeOptions{Limit: c.rng.IntN(3), Reverse: c.rng.IntN(2) == 0}}
		spans[s] = tr.GetRange(begin, end, s.opts)
	}
	for k, f := range points {
		v, err := f.Get()
		if err != nil {
			return nil, err
		}
		saw.point[k] = string(v)
	}
	for s, f := range spans {
		rows, err := f.Get()
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			s.rows = append(s.rows, string(r.Key)+"="+string(r.Value))
		}
		saw.spans = append(saw.spans, *s)
	}
	for n := range 1 + c.rng.IntN(2) {
		switch c.rng.IntN(4) {
		case 0:
			tr.Clear(c.key())
		case 1:
			k := c.key()
			tr.ClearRange(k, append(bytes.Clone(k), 0xf0))
		default:
			tr.Set(c.key(), fmt.Appendf(nil, "%s/%d", id, n))
		}
	}
	tr.Set([]byte("op"), []byte(id)) // identifies the transaction in the log; no transaction reads it
	return saw, nil
}

// TestSerialisable runs clients concurrently and replays the commit log. Each
// transaction must have read the state just before its own entry.
func TestSerialisable(t *testing.T) {
	seed := testseed.Draw(t) // it does not replay the interleaving
	const clients, each = 8, 300
	yield := func(context.Context, *Call) error {
		runtime.Gosched() // let other clients run between a transaction's reads and its commit
		return nil
	}
	db := New(Options{KeepLog: true, Hooks: &Hooks{Before: yield, After: yield}})
	all := make([]*stressClient, clients)
	var wg sync.WaitGroup
	errs := make([]error, clients)
	for i := range all {
		name := fmt.Sprintf("p%d", i)
		all[i] = &stressClient{name, db.NewClient(name, ClientOptions{}), rand.New(rand.NewPCG(seed, uint64(i))), map[string]*observed{}}
		wg.Go(func() { errs[i] = all[i].run(t.Context(), each) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	log := db.CommitLog()
	require.Len(t, log, clients*each)
	require.NoError(t, checkSerialisable(log, all))
	t.Logf("%d conflicts", db.Counters().Conflicts)
}

// TestSerialisableSchedules runs clients as coroutines that yield at each call, in
// an order that depends only on the seed, and checks their log.
func TestSerialisableSchedules(t *testing.T) {
	first, count := uint64(1), uint64(40)
	if given, ok := testseed.Given(t); ok {
		first, count = given, 1
	}
	for seed := first; seed < first+count; seed++ {
		log, err := runSchedule(t.Context(), seed)
		if err != nil {
			t.Errorf("seed %d: %v\n\t%s", seed, err, testseed.Replay(t, seed))
			continue
		}
		if again, _ := runSchedule(t.Context(), seed); !reflect.DeepEqual(log, again) {
			t.Errorf("seed %d: two runs have different logs", seed)
		}
	}
}

// runSchedule runs one seed and returns the commit log.
func runSchedule(ctx context.Context, seed uint64) ([]LogEntry, error) {
	const clients, each = 5, 30
	clock := newTestClock()
	rng := rand.New(rand.NewPCG(seed, 1<<32))
	co := &coroutines{map[string]func() (struct{}, bool){}, map[string]func(struct{}) bool{}}
	yield := func(_ context.Context, c *Call) error {
		clock.pass(time.Duration(rng.IntN(3)) * time.Microsecond)
		co.yields[c.Client](struct{}{})
		return nil
	}
	db := hooked(clock, &Hooks{Before: yield, After: yield})
	var all []*stressClient
	var running []string
	var errs []error
	for i := range clients {
		name := fmt.Sprintf("p%d", i)
		c := &stressClient{name, db.NewClient(name, ClientOptions{}), rand.New(rand.NewPCG(seed, uint64(i))), map[string]*observed{}}
		all, running = append(all, c), append(running, name)
		co.start(name, func() { errs = append(errs, c.run(ctx, each)) })
	}
	for len(running) > 0 {
		i := rng.IntN(len(running))
		if _, more := co.next[running[i]](); !more {
			running = slices.Delete(running, i, i+1)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	log := db.CommitLog()
	if len(log) != clients*each {
		return nil, fmt.Errorf("%d commits for %d transactions", len(log), clients*each)
	}
	return log, checkSerialisable(log, all)
}

// checkSerialisable replays a log and checks what each transaction read.
func checkSerialisable(log []LogEntry, clients []*stressClient) error {
	state, last := map[string]string{}, int64(0)
	for _, e := range log {
		if e.Version <= last || e.ReadVersion >= e.Version {
			return fmt.Errorf("version %d after %d, read at %d", e.Version, last, e.ReadVersion)
		}
		last = e.Version
		id := ""
		for _, m := range e.Mutations {
			if string(m.Key) == "op" {
				id = string(m.Value)
			}
		}
		i := slices.IndexFunc(clients, func(c *stressClient) bool { return c.name == e.Client })
		saw := clients[i].seen[id]
		if saw == nil {
			return fmt.Errorf("transaction %q is in the log, but no client committed it", id)
		}
		if err := saw.check(state); err != nil {
			return fmt.Errorf("transaction %q, committed at %d and read at %d: %w", id, e.Version, e.ReadVersion, err)
		}
		for _, m := range e.Mutations {
			if m.Kind == MutationSet {
				state[string(m.Key)] = string(m.Value)
			} else {
				maps.DeleteFunc(state, func(k, _ string) bool { return k >= string(m.Key) && k < string(m.Value) })
			}
		}
	}
	return nil
}

// check compares what was read with a state.
func (o *observed) check(state map[string]string) error {
	for k, v := range o.point {
		if state[k] != v {
			return fmt.Errorf("read %s=%q, want %q", k, v, state[k])
		}
	}
	for _, s := range o.spans {
		var rows []string
		keys := slices.Sorted(maps.Keys(state))
		if s.opts.Reverse {
			slices.Reverse(keys)
		}
		for _, k := range keys {
			if k >= s.begin && k < s.end && (s.opts.Limit == 0 || len(rows) < s.opts.Limit) {
				rows = append(rows, k+"="+state[k])
			}
		}
		if !slices.Equal(rows, s.rows) {
			return fmt.Errorf("read %v from %s to %s %+v, want %v", s.rows, s.begin, s.end, s.opts, rows)
		}
	}
	return nil
}

// TestConcurrentUse uses a transaction, watches, counters and the log concurrently,
// for the race detector.
func TestConcurrentUse(t *testing.T) {
	db := New(Options{KeepLog: true})
	put(t, db, "k", "0")
	for range 20 {
		tr := begin(t, db)
		w := register(t, db, "k", nil)
		var wg sync.WaitGroup
		for i := range 4 {
			f := tr.Get(fmt.Appendf(nil, "k%d", i))
			wg.Go(func() { _, _ = f.Get() })
			wg.Go(func() {
				_, _ = tr.GetRange([]byte("a"), []byte("z"), kv.RangeOptions{}).Get()
				_, _ = tr.GetReadVersion().Get()
			})
			wg.Go(func() { tr.Set(fmt.Appendf(nil, "w%d", i), nil) })
		}
		wg.Go(func() { _ = tr.Commit() })
		wg.Go(func() { tr.Cancel() })
		wg.Go(func() {
			_ = db.Transact(t.Context(), func(tr kv.Transaction) error {
				tr.Set([]byte("k"), fmt.Append(nil, db.Version()))
				return nil
			})
		})
		wg.Go(func() { db.Counters(); db.CommitLog(); db.Recover() })
		wg.Go(func() { <-w.Done() })
		wg.Wait()
		tr.Reset()
	}
}
