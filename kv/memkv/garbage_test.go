package memkv

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// footprint returns the sizes of the database's structures.
func (db *DB) footprint() (items, cells, queue, ranges int) {
	for _, it := range db.items {
		cells += cap(it.cells)
	}
	return len(db.items), cells, cap(db.garbage.queue), cap(db.cleared)
}

// TestMemoryStaysBounded checks that after thirty windows of writes, clears and
// conflicts the database holds about one window of them.
func TestMemoryStaysBounded(t *testing.T) {
	const perWindow = 500
	clock := newTestClock()
	db := New(clock.options())
	var most [4]int
	for i := range 30 * perWindow {
		clock.pass(5 * time.Second / perWindow)
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			tr.Set([]byte("hot"), fmt.Append(nil, i))
			tr.Set(fmt.Appendf(nil, "once/%08d", i), []byte("x"))
			tr.Clear(fmt.Appendf(nil, "once/%08d", i-100))
			tr.ClearRange(fmt.Appendf(nil, "range/%08d", i), fmt.Appendf(nil, "range/%08dz", i))
			return tr.AddWriteConflictKey(fmt.Appendf(nil, "conflict/%08d", i))
		}))
		if i > 5*perWindow && i%97 == 0 {
			items, cells, queue, ranges := db.footprint()
			for j, n := range [4]int{items, cells, queue, ranges} {
				most[j] = max(most[j], n)
			}
		}
	}
	require.Less(t, most[0], 3*perWindow, "keys written, cleared or named in a window")
	require.Less(t, most[1], 12*perWindow, "values")
	require.Less(t, most[2], 15*perWindow, "the garbage queue")
	require.Less(t, most[3], 4*perWindow, "cleared ranges")

	// After everything was cleared and has left the window, nothing remains.
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		tr.ClearRange(nil, []byte("\xff"))
		return nil
	}))
	for range 1000 {
		clock.pass(10 * time.Second)
		put(t, db, "last", "")
	}
	items, cells, _, _ := db.footprint()
	require.LessOrEqual(t, items, 1)
	require.Less(t, cells, 10)
}

// TestWindowIsKept checks that garbage collection keeps what read versions in the
// window can see.
func TestWindowIsKept(t *testing.T) {
	const seed = 7
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	clock := newTestClock()
	db := New(clock.options())
	type view struct {
		tr   kv.OwnedTransaction
		want []string
		at   time.Time
	}
	var views []view
	for range 3000 {
		clock.pass(time.Duration(rng.IntN(40)) * time.Millisecond)
		key := fmt.Appendf(nil, "k%02d", rng.IntN(20))
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			switch rng.IntN(3) {
			case 0:
				tr.ClearRange(key, append(key, 0xf0))
			case 1:
				tr.Clear(key)
			default:
				tr.Set(key, fmt.Append(nil, rng.IntN(1000)))
			}
			return nil
		}))
		tr := begin(t, db)
		_, err := tr.GetReadVersion().Get()
		require.NoError(t, err)
		views = append(views, view{tr, contents(t, db), clock.now})
		v := views[rng.IntN(len(views))]
		rows, err := v.tr.Snapshot().GetRange(nil, []byte("\xff"), kv.RangeOptions{}).Get()
		if clock.now.Sub(v.at) > 6*time.Second {
			continue // it may be answered from earlier reads, or too old
		}
		if clock.now.Sub(v.at) < 4*time.Second {
			require.NoError(t, err)
		}
		if err == nil {
			got := []string{}
			for _, r := range rows {
				got = append(got, fmt.Sprintf("%s=%s", r.Key, r.Value))
			}
			require.Equal(t, v.want, got)
		}
	}
}

// TestEdgeOfTheWindow checks that a transaction at the oldest kept version still
// reads and conflicts.
func TestEdgeOfTheWindow(t *testing.T) {
	clock := newTestClock()
	db := New(clock.options())
	put(t, db, "k", "old")
	reader, writer := begin(t, db), begin(t, db)
	readVersion, err := reader.GetReadVersion().Get()
	require.NoError(t, err)
	_, err = writer.GetRange([]byte("r"), []byte("s"), kv.RangeOptions{}).Get()
	require.NoError(t, err)

	put(t, db, "k", "new") // at the next version
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		tr.ClearRange([]byte("r"), []byte("s"))
		return nil
	}))
	edge := readVersion + defaultWindow
	clock.pass(time.Duration(edge-db.Version()) * time.Microsecond)
	put(t, db, "x", "") // collects garbage at the newest version
	require.Equal(t, edge, db.Version())
	require.Equal(t, "old", mustGet(t, reader, "k"))

	db.mu.Lock() // each commit takes a version; set the clock back to stay at the edge
	db.clock.version--
	db.mu.Unlock()
	writer.Set([]byte("w"), nil)
	require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(writer.Commit()))
}

// TestRemovedKeyIsSetAgain checks that collecting a removed key does not remove the
// key that was set again.
func TestRemovedKeyIsSetAgain(t *testing.T) {
	clock := newTestClock()
	db := New(clock.options())
	for range 40 { // more than one commit can collect
		put(t, db, "k", "old")
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			tr.Clear([]byte("k"))
			return nil
		}))
	}
	clock.pass(10 * time.Second)
	put(t, db, "x", "") // removes the item
	put(t, db, "k", "new")
	put(t, db, "x", "") // collects more of the old item
	require.Equal(t, []string{"k=new", "x="}, contents(t, db))
}

// TestWatchedKeysAreKept checks that collecting a cleared key leaves its watches
// alone.
func TestWatchedKeysAreKept(t *testing.T) {
	clock := newTestClock()
	db := New(clock.options())
	put(t, db, "k", "1")
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		tr.Clear([]byte("k"))
		return nil
	}))
	w := register(t, db, "k", nil)
	for range 10 {
		clock.pass(10 * time.Second)
		put(t, db, "another", "")
	}
	require.Equal(t, &answer{Info: "pending"}, watchState(w))
	put(t, db, "k", "2")
	require.Equal(t, &answer{OK: true, Info: "fired"}, watchState(w))
}
