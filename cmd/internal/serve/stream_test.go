package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/overview"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// reader is the client of a stream. It takes what is written.
type reader struct {
	*httptest.ResponseRecorder
	mu     sync.Mutex
	text   strings.Builder
	refuse bool
	limits []time.Time // of the writes
}

func (r *reader) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse {
		return 0, errors.New("the client is too slow")
	}
	return r.text.Write(p)
}

func (r *reader) Flush()                          {}
func (r *reader) SetReadDeadline(time.Time) error { return nil }
func (r *reader) SetWriteDeadline(at time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.limits = append(r.limits, at)
	return nil
}

// page is an open page.
type page struct {
	t      *testing.T
	client *reader
	close  func()
	ended  chan struct{}
}

func openPage(t *testing.T, h http.Handler, query string) *page {
	ctx, cancel := context.WithCancel(t.Context())
	p := &page{t: t, client: &reader{ResponseRecorder: httptest.NewRecorder()}, close: cancel, ended: make(chan struct{})}
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/stream"+query, nil)
	r.Host = "localhost"
	go func() {
		defer close(p.ended)
		h.ServeHTTP(p.client, r)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
		time.Sleep(interval) // until the loop has ended
	})
	return p
}

// sent is an event of a stream.
type sent struct {
	name string
	data string
}

// next returns the events that have arrived since the last call.
func (p *page) next() (all []sent) {
	synctest.Wait()
	p.client.mu.Lock()
	defer p.client.mu.Unlock()
	for part := range strings.SplitSeq(p.client.text.String(), "\n\n") {
		if name, data, ok := strings.Cut(strings.TrimPrefix(part, "event: "), "\ndata: "); ok {
			all = append(all, sent{name, data})
		}
	}
	p.client.text.Reset()
	return all
}

func names(all []sent) (list []string) {
	for _, one := range all {
		list = append(list, one.name)
	}
	return list
}

func decode[T any](t *testing.T, one sent) (value T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(one.data), &value), one.data)
	return value
}

type changed[T any] struct {
	Reset   bool     `json:"reset"`
	Set     []T      `json:"set"`
	Gone    []string `json:"gone"`
	LeftOut int      `json:"left_out"`
}

// TestStream: a page gets everything first, and then what has changed.
func TestStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := readDescription(t)
		m := clitest.NewManual(t)
		m.Claims(m.One, time.Now())
		h := handler(m.Database)
		list, one, none := openPage(t, h, ""), openPage(t, h, "?election=default"), openPage(t, h, "?election=none")
		time.Sleep(interval)
		valid := func(all []sent) []sent {
			for _, e := range all {
				d.requireValid(t, &jsonschema.Schema{Ref: "#/$defs/" + e.name + "_event"}, []byte(e.data))
			}
			return all
		}
		first := valid(list.next())
		require.Equal(t, []string{"store", "elections", "groups"}, names(first))
		require.True(t, decode[storeState](t, first[0]).OK)
		all := decode[changed[listed]](t, first[1])
		require.True(t, all.Reset)
		require.Equal(t, "one", all.Set[0].Leader.ID)
		first = valid(one.next())
		require.Equal(t, []string{"store", "status", "candidates", "history"}, names(first))
		require.Equal(t, "one", decode[status](t, first[1]).Leader.ID)
		require.Len(t, decode[changed[report.Candidate]](t, first[2]).Set, 2)
		require.Len(t, decode[changed[report.Event]](t, first[3]).Set, 1)
		first = valid(none.next())
		require.Equal(t, "null", first[1].data)

		time.Sleep(3 * time.Second)
		require.Empty(t, list.next(), "nothing has changed")
		require.Empty(t, one.next())

		m.Claims(m.One, time.Now())
		time.Sleep(2 * interval)
		require.Equal(t, []string{"elections"}, names(list.next()))
		renewal := valid(one.next())
		require.Equal(t, []string{"status", "candidates"}, names(renewal))
		some := decode[changed[report.Candidate]](t, renewal[1])
		require.False(t, some.Reset)
		require.Len(t, some.Set, 1)
		require.Equal(t, "one", some.Set[0].ID)

		m.Does(func(tr kv.Transaction) error { return m.UnregisterCandidate(tr, m.One.Identity, time.Now()) })
		time.Sleep(2 * interval)
		left := valid(one.next())
		require.Equal(t, []string{"status", "candidates", "history"}, names(left))
		require.Equal(t, []string{"one"}, decode[changed[report.Candidate]](t, left[1]).Gone)
		ended := decode[changed[report.Event]](t, left[2])
		require.Len(t, ended.Set, 1)
		require.Equal(t, "ended", ended.Set[0].Event)

		list.next()
		m.Does(func(tr kv.Transaction) error {
			begin, end := m.Subspace().Range()
			tr.ClearRange(begin, end)
			return nil
		})
		time.Sleep(2 * interval)
		require.Equal(t, []string{"default"}, decode[changed[listed]](t, valid(list.next())[0]).Gone)
		gone := valid(one.next())
		require.Equal(t, "null", gone[0].data)
		require.ElementsMatch(t, []string{"1/began", "1/ended"}, decode[changed[report.Event]](t, gone[2]).Gone)
	})
}

// TestAPageThatOpensLater: its first events have the ages of that time.
func TestAPageThatOpensLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clitest.NewManual(t)
		m.Claims(m.One, time.Now())
		store := &away{Database: m.Database}
		h := handler(store)
		openPage(t, h, "?election=default")
		openPage(t, h, "")
		time.Sleep(interval)
		m.Claims(m.One, time.Now())
		for _, down := range []bool{false, true} {
			store.down.Store(down)
			passed := time.Now()
			time.Sleep(60 * time.Second)
			one, list := openPage(t, h, "?election=default").next(), openPage(t, h, "").next()
			want := 10 - time.Since(passed).Seconds() // the lease
			if down {
				want -= 60
			}
			require.InDelta(t, want, time.Duration(*decode[status](t, one[1]).Remaining).Seconds(), 1)
			require.InDelta(t, want, time.Duration(*decode[changed[listed]](t, list[1]).Set[0].Remaining).Seconds(), 1)
			require.InDelta(t, 10-want, time.Duration(decode[changed[report.Candidate]](t, one[2]).Set[0].Age).Seconds(), 1)
		}
	})
}

// away is a store that can go away.
type away struct {
	kv.Database
	down atomic.Bool
}

func (a *away) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	if a.down.Load() {
		return errors.New("the disk is on \x1b fire")
	}
	return a.Database.ReadTransact(ctx, fn)
}

// TestStoreGoesAway: the page is told when the store ceases to answer and when it answers
// again, once each. What it shows stays.
func TestStoreGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clitest.NewManual(t)
		store := &away{Database: m.Database}
		h := handler(store)
		p := openPage(t, h, "")
		time.Sleep(interval)
		p.next()
		store.down.Store(true)
		began := time.Now()
		time.Sleep(3 * time.Second)
		all := p.next()
		require.Equal(t, []string{"store"}, names(all))
		down := decode[storeState](t, all[0])
		require.False(t, down.OK)
		require.Equal(t, `"the disk is on \x1b fire"`, down.Error)
		require.WithinDuration(t, began, down.Since, time.Second)
		w := get(h, "/api/v1/list")
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Equal(t, http.StatusServiceUnavailable, get(h, "/readyz").Code)
		require.Equal(t, http.StatusOK, get(h, "/livez").Code)

		late := openPage(t, h, "?election=default")
		time.Sleep(time.Second)
		require.Equal(t, []string{"store"}, names(late.next()), "nothing is known of this election")
		store.down.Store(false)
		time.Sleep(2 * time.Second)
		all = p.next()
		require.Equal(t, []string{"store"}, names(all))
		require.True(t, decode[storeState](t, all[0]).OK)
		all = late.next()
		require.Equal(t, []string{"store", "status", "candidates", "history"}, names(all))
		require.Equal(t, http.StatusOK, get(h, "/readyz").Code)
	})
}

// TestPagesShareReads: 200 pages read no more of the store than one.
func TestPagesShareReads(t *testing.T) {
	cost := func(pages int) (c memkv.Counters) {
		synctest.Test(t, func(t *testing.T) {
			m := clitest.NewManual(t)
			m.Claims(m.One, time.Now())
			db := m.Database.(*memkv.DB)
			h := handler(db)
			for i := range pages {
				openPage(t, h, []string{"", "?election=default"}[i%2])
			}
			time.Sleep(interval / 2)
			before := db.Counters()
			time.Sleep(60 * time.Second)
			c = db.Counters().Sub(before)
		})
		return c
	}
	one, many := cost(2), cost(200)
	require.Equal(t, one, many)
	require.InDelta(t, 240, one.Transactions, 6, "one of the elections and one of the groups, twice a second")
}

// TestNoPageNoReads: without a page nothing is read, and a new page is served again.
func TestNoPageNoReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clitest.NewManual(t)
		db := m.Database.(*memkv.DB)
		h := handler(db)
		for range 2 {
			p := openPage(t, h, "?election=default")
			time.Sleep(interval)
			require.Equal(t, []string{"store", "status", "candidates", "history"}, names(p.next()))
			p.close()
			<-p.ended
			time.Sleep(time.Minute)
			before := db.Counters()
			time.Sleep(time.Minute)
			require.Equal(t, before, db.Counters())
		}
	})
}

// TestSlowClientsAreDropped: each write has a limit, and one that fails ends the stream.
// Comments show that the server is there.
func TestSlowClientsAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := openPage(t, handler(memkv.New(memkv.Options{})), "")
		time.Sleep(interval)
		p.next()
		for range 3 {
			time.Sleep(keepAlive)
			synctest.Wait()
			p.client.mu.Lock()
			require.Equal(t, ":\n\n", p.client.text.String())
			p.client.text.Reset()
			p.client.mu.Unlock()
		}
		p.client.mu.Lock()
		for _, limit := range p.client.limits {
			require.False(t, limit.IsZero())
		}
		p.client.refuse = true
		p.client.mu.Unlock()
		time.Sleep(keepAlive)
		<-p.ended
	})
}

// TestPagesAreLimited: a page above the limit is refused, and a closed one makes room.
func TestPagesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := clitest.NewManual(t)
		h := handler(m.Database)
		var last *page
		for range mostStreams {
			last = openPage(t, h, "")
		}
		synctest.Wait()
		require.Equal(t, http.StatusServiceUnavailable, get(h, "/api/v1/stream").Code)
		last.close()
		<-last.ended
		p := openPage(t, h, "")
		time.Sleep(interval)
		require.NotEmpty(t, p.next())
	})
}

// TestLeftOut: a page is told how many elections are above the limit, also if nothing else has
// changed or the store is away.
func TestLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &away{Database: memkv.New(memkv.Options{})}
		fill(t, store, 3, 1)
		f := newTestFeed(store)
		f.reader = overview.NewReader(store, subspace.New("fdbelection"), overview.Options{
			Limit: 2, Timeout: readLimit, MaxAge: interval / 2, Logger: slog.New(slog.DiscardHandler), Clock: clitest.Virtual{},
		})
		s := server{feed: f, streams: make(chan struct{}, mostStreams)}
		p := openPage(t, http.HandlerFunc(s.stream), "")
		leftOut := func(p *page) int {
			t.Helper()
			all := p.next()
			at := slices.Index(names(all), "elections")
			require.NotEqual(t, -1, at)
			return decode[changed[listed]](t, all[at]).LeftOut
		}
		time.Sleep(interval / 2)
		require.Equal(t, 1, leftOut(p))
		more := election.New(subspace.New("fdbelection", "last"))
		require.NoError(t, store.Transact(t.Context(), func(tr kv.Transaction) error { _, err := more.Initialize(tr); return err }))
		time.Sleep(interval)
		require.Equal(t, 2, leftOut(p))
		store.down.Store(true)
		time.Sleep(interval)
		require.Equal(t, 2, leftOut(openPage(t, http.HandlerFunc(s.stream), "")))
	})
}

// TestChangeOf: a page that applies the changes in turn has the rows.
func TestChangeOf(t *testing.T) {
	values := []int{}
	var before []*row
	shown := map[string]string{}
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	for i := range 200 {
		seed = seed*6364136223846793005 + 1442695040888963407
		n := int(uint64(seed)>>33) % 40
		if at := slices.Index(values, n); at >= 0 {
			values = slices.Delete(values, at, at+1)
		} else {
			values = append(values, n)
		}
		now := rows(values, before, func(n *int) string { return fmt.Sprint(*n) }, func(n *int) (now, same any) { return *n, *n * (i / 50) })
		c, changed := changeOf(before, now, i == 0)
		require.True(t, changed)
		for _, key := range c.Gone {
			delete(shown, key)
		}
		for _, data := range c.Set {
			shown[string(data)] = string(data)
		}
		require.Len(t, shown, len(values), "step %d", i)
		again := rows(values, now, func(n *int) string { return fmt.Sprint(*n) }, func(n *int) (now, same any) { return *n, *n * (i / 50) })
		_, changed = changeOf(now, again, false)
		require.False(t, changed)
		before = now
	}
}
