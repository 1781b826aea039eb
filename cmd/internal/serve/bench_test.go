package serve

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/web"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/overview"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// fill makes elections with candidates. The first candidate leads.
func fill(t testing.TB, db kv.Database, elections, candidates int) {
	t.Helper()
	does := func(fn func(tr kv.Transaction) error) { require.NoError(t, db.Transact(t.Context(), fn)) }
	for i := range elections {
		e := election.New(subspace.New("fdbelection", fmt.Sprintf("e%03d", i)))
		does(func(tr kv.Transaction) error { _, err := e.Initialize(tr); return err })
		for j := range candidates {
			me := election.Registration{Identity: election.Identity{ID: fmt.Sprintf("c%03d", j)}, Metadata: map[string]string{"address": "10.0.0.1:8080"}}
			does(func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, time.Now()) })
			if j == 0 {
				does(func(tr kv.Transaction) error { _, err := e.TryClaimLeadership(tr, me.Identity, time.Now()); return err })
			}
		}
	}
}

// BenchmarkSnapshot reads and encodes a page's worth of data: 50 elections with 20 candidates
// each.
func BenchmarkSnapshot(b *testing.B) {
	db := memkv.New(memkv.Options{})
	fill(b, db, 50, 20)
	f := newTestFeed(db)
	f.reader = overview.NewReader(db, subspace.New("fdbelection"), overview.Options{
		Limit: mostElections, Timeout: readLimit, Logger: slog.New(slog.DiscardHandler), Clock: clitest.Virtual{},
	})
	require.Len(b, f.now().listed, 50)
	before := db.Counters()
	b.ReportAllocs()
	for b.Loop() {
		require.Len(b, f.now().listed, 50)
	}
	cost := db.Counters().Sub(before)
	b.ReportMetric(float64(cost.Transactions)/float64(b.N), "transactions/op")
	b.ReportMetric(float64(cost.ReadWaves)/float64(b.N), "waves/op")
}

// mostPerPage is how much memory an open page may take in the server.
const mostPerPage = 100 << 10

// TestMemoryOfAPage: 200 open pages of an election with 100 candidates, over the network.
func TestMemoryOfAPage(t *testing.T) {
	const pages = 200
	db := memkv.New(memkv.Options{})
	fill(t, db, 1, 100)
	l, err := web.Listen(t.Context(), "127.0.0.1:0", maxConnections)
	require.NoError(t, err)
	t.Cleanup(web.Serve(l, handler(db), slog.New(slog.DiscardHandler)))
	open := func() {
		conn, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
		_, err = fmt.Fprint(conn, "GET /api/v1/stream?election=e000 HTTP/1.1\r\nHost: localhost\r\n\r\n")
		require.NoError(t, err)
		lines := bufio.NewScanner(conn)
		lines.Buffer(nil, 1<<20)
		for {
			require.True(t, lines.Scan(), lines.Err())
			if strings.HasPrefix(lines.Text(), "event: history") { // the last of the first events
				return
			}
		}
	}
	used := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	open() // what all pages share
	before := used()
	for range pages {
		open()
	}
	perPage := (used() - before) / pages
	t.Logf("%d KiB per page, with its client", perPage>>10)
	require.Less(t, perPage, uint64(mostPerPage))
}
