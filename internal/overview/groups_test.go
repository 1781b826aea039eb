package overview_test

import (
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/internal/overview"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// virtual is the clock of a bubble of testing/synctest.
type virtual struct{}

func (virtual) Now() time.Time                                    { return time.Now() }
func (virtual) Wall() time.Time                                   { return time.Now() }
func (virtual) AfterFunc(d time.Duration, f func()) elector.Timer { return time.AfterFunc(d, f) }

// pool is a group whose members act only if the test says so.
type pool struct {
	t  *testing.T
	db *memkv.DB
	*group.Group
	members map[string]election.Identity
	drawn   byte
}

func newPool(t *testing.T, db *memkv.DB, name string, shards int) *pool {
	t.Helper()
	p := &pool{t: t, db: db, Group: group.New(root.Sub(name)), members: map[string]election.Identity{}}
	p.do(func(tr kv.Transaction) error { _, err := p.Initialize(tr, group.DefaultConfig()); return err })
	names := make([]string, shards)
	for i := range names {
		names[i] = fmt.Sprintf("s%05d", i)
	}
	for batch := range slices.Chunk(names, group.MaxBatch) {
		p.do(func(tr kv.Transaction) error { _, err := p.CreateShards(tr, batch, time.Now()); return err })
	}
	return p
}

func (p *pool) do(fn func(tr kv.Transaction) error) {
	p.t.Helper()
	require.NoError(p.t, p.db.Transact(p.t.Context(), fn))
}

func (p *pool) draw() uuid.UUID {
	p.drawn++
	return uuid.UUID{p.drawn}
}

func (p *pool) join(id string, weight int32) {
	p.t.Helper()
	m := group.Member{Identity: election.Identity{ID: id, Incarnation: p.draw()}, Weight: weight, Balance: group.BalanceVersion}
	p.members[id] = m.Identity
	p.do(func(tr kv.Transaction) error { _, _, err := p.Join(tr, group.Joining{Member: m}); return err })
}

func (p *pool) beat(ids ...string) {
	p.t.Helper()
	for _, id := range ids {
		p.do(func(tr kv.Transaction) error { _, _, err := p.Heartbeat(tr, p.members[id], 1, 1); return err })
	}
}

func (p *pool) claim(id string, shards ...string) {
	p.t.Helper()
	claims := make([]group.Claim, len(shards))
	for i, name := range shards {
		claims[i] = group.Claim{Shard: name, Nonce: p.draw()}
	}
	p.do(func(tr kv.Transaction) error { _, err := p.Claim(tr, p.members[id], claims, time.Now()); return err })
}

// release hands a shard over, or leaves it vacant if to is empty.
func (p *pool) release(from, shard, to string, reason group.Reason) {
	p.t.Helper()
	nonce := p.draw()
	p.do(func(tr kv.Transaction) error {
		s, err := p.ReadShard(tr, shard)
		if err == nil {
			_, err = p.Release(tr, p.members[from], []group.Release{{Token: s.Token(), Target: p.members[to], Nonce: nonce, Reason: reason}}, time.Now())
		}
		return err
	})
}

// end ends the session of a member, as an eviction does.
func (p *pool) end(id string) {
	p.t.Helper()
	p.do(func(tr kv.Transaction) error { return p.Leave(tr, p.members[id]) })
}

func newGroupReader(db kv.Database, limit int) *overview.GroupReader {
	return overview.NewGroupReader(db, root, overview.Options{
		Limit: limit, Timeout: time.Minute, Logger: slog.New(slog.DiscardHandler), Clock: virtual{},
	})
}

// only returns the only group.
func only(t *testing.T, r *overview.GroupReader) overview.Group {
	t.Helper()
	reading := r.Read()
	require.NoError(t, reading.Err)
	require.Len(t, reading.Groups, 1)
	return reading.Groups[0]
}

// While nothing but heartbeats changes, a read of groups is one small transaction, however many
// shards they have.
func TestGroupsInCalmCostOneTransaction(t *testing.T) {
	db := memkv.New(memkv.Options{})
	p := newPool(t, db, "g", 10_000)
	newPool(t, db, "small", 3)
	initialize(t, db, "election")
	p.join("a", 1)
	r := newGroupReader(db, 100)
	before := db.Counters()
	reading := r.Read()
	require.NoError(t, reading.Err)
	require.Len(t, reading.Groups, 2)
	require.Equal(t, 10_000, reading.Groups[0].Shards)
	require.Equal(t, "small", reading.Groups[1].Name)
	require.Less(t, db.Counters().Sub(before).Transactions, int64(10))
	for range 3 {
		p.beat("a")
		before = db.Counters()
		require.Len(t, r.Read().Groups, 2)
		cost := db.Counters().Sub(before)
		require.EqualValues(t, 1, cost.Transactions)
		require.LessOrEqual(t, cost.ReadWaves, int64(5))
		require.Less(t, cost.BytesRead, int64(2000))
	}
}

// A shard is free since its present term was first seen free. A shard that was led in between
// counts from then on.
func TestFreeShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, memkv.New(memkv.Options{}), "g", 3)
		p.join("a", 1)
		p.claim("a", "s00000", "s00001", "s00002")
		r := newGroupReader(p.db, 100)
		require.Zero(t, only(t, r).FreeSince)
		p.release("a", "s00000", "", group.ReasonWork)
		time.Sleep(time.Minute)
		began := time.Now()
		require.Equal(t, began, only(t, r).FreeSince)
		time.Sleep(time.Minute)
		p.release("a", "s00001", "", group.ReasonWork)
		g := only(t, r)
		require.Equal(t, 2, g.Free)
		require.Equal(t, began, g.FreeSince)
		time.Sleep(time.Minute)
		p.claim("a", "s00000")
		p.release("a", "s00000", "", group.ReasonWork)
		require.Equal(t, began.Add(time.Minute), only(t, r).FreeSince)
		p.claim("a", "s00001")
		require.Equal(t, began.Add(2*time.Minute), only(t, r).FreeSince)
		p.claim("a", "s00000")
		require.Zero(t, only(t, r).FreeSince)
		p.end("a")
		require.Equal(t, time.Now(), only(t, r).FreeSince, "the session of its leader has ended")
	})
}

// A member is silent if its heartbeat stays the same for its lease, on the clock of the reader.
func TestSilentMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, memkv.New(memkv.Options{}), "g", 1)
		p.join("a", 1)
		p.join("b", 1)
		r := newGroupReader(p.db, 100)
		states := func() (states [2]string, judged [2]bool) {
			for i, m := range only(t, r).Members {
				states[i], judged[i] = m.State(), m.Silent != nil
			}
			return states, judged
		}
		unsure, judged := states()
		require.Equal(t, [2]string{"ready", "ready"}, unsure, "nothing else is known")
		require.Equal(t, [2]bool{}, judged, "the first read says nothing")
		time.Sleep(9 * time.Second)
		p.beat("a")
		_, judged = states()
		require.Equal(t, [2]bool{true, false}, judged)
		time.Sleep(time.Second)
		now, _ := states()
		require.Equal(t, [2]string{"ready", "silent"}, now)
		p.beat("b")
		time.Sleep(time.Second)
		now, _ = states()
		require.Equal(t, "ready", now[1], "it was slow")
		time.Sleep(time.Hour)
		p.beat("b")
		now, _ = states()
		require.Equal(t, [2]string{"silent", "ready"}, now)
		m := only(t, r).Members[0]
		require.Equal(t, time.Hour+2*time.Second, *m.Age)
	})
}

// Moves are counted from the log, each once, by their reason, from the first read on.
func TestMoves(t *testing.T) {
	p := newPool(t, memkv.New(memkv.Options{}), "g", 4)
	p.join("a", 1)
	p.join("b", 1)
	p.claim("a", "s00000")
	r := newGroupReader(p.db, 100)
	require.Zero(t, only(t, r).Moves)
	p.claim("a", "s00001", "s00002")
	require.EqualValues(t, 2, only(t, r).Moves.Began[group.ReasonVacancy])
	p.release("a", "s00001", "", group.ReasonWork)
	p.end("a")
	p.claim("b", "s00001", "s00002")
	for range 2 {
		moves := only(t, r).Moves
		require.EqualValues(t, 3, moves.Began[group.ReasonVacancy])
		require.EqualValues(t, 1, moves.Began[group.ReasonExpiry])
		require.EqualValues(t, 1, moves.Vacated[group.ReasonWork])
	}
}

// A group that is deleted and made again is read from the start, and one that is gone is
// forgotten.
func TestGroupsThatChange(t *testing.T) {
	db := memkv.New(memkv.Options{})
	p := newPool(t, db, "g", 5)
	p.join("a", 1)
	p.claim("a", "s00000")
	r := newGroupReader(db, 100)
	require.Equal(t, 5, only(t, r).Shards)
	p.do(func(tr kv.Transaction) error { tr.ClearRange(root.Sub("g").Range()); return nil })
	newPool(t, db, "g", 2)
	g := only(t, r)
	require.Equal(t, 2, g.Shards)
	require.Empty(t, g.Members)

	p.do(func(tr kv.Transaction) error {
		now, err := tr.GetReadVersion().Get()
		if err == nil {
			err = p.Trim(tr, now)
		}
		return err
	})
	p.do(func(tr kv.Transaction) error { _, err := p.CreateShards(tr, []string{"new"}, time.Now()); return err })
	require.Equal(t, 3, only(t, r).Shards, "the log was trimmed")

	for i := range 3 {
		newPool(t, db, fmt.Sprintf("more%d", i), 1)
	}
	limited := newGroupReader(db, 2).Read()
	require.Len(t, limited.Groups, 2)
	require.Equal(t, 2, limited.LeftOut)
	p.do(func(tr kv.Transaction) error { tr.ClearRange(root.Range()); return nil })
	require.Empty(t, r.Read().Groups)
}

// One unreadable record costs itself only.
func TestUnreadableGroupRecords(t *testing.T) {
	p := newPool(t, memkv.New(memkv.Options{}), "g", 3)
	p.join("a", 1)
	p.join("b", 1)
	p.claim("a", "s00001")
	for _, path := range [][]string{{"group"}, {"members", "b"}, {"shards", "s00000"}, {"pins", "s00002"}, {"beats", "a"}} {
		p.do(func(tr kv.Transaction) error {
			tr.Set(root.Sub("g").Sub(path...).Bytes(), []byte("rubbish"))
			return nil
		})
	}
	g := only(t, newGroupReader(p.db, 100))
	require.Zero(t, g.Config)
	require.Len(t, g.Members, 2)
	require.Equal(t, [4]int{3, 1, 1, 1}, [4]int{g.Shards, g.Free, g.Damaged, g.Members[0].Shards})
	joined, ok := g.Unreadable.(interface{ Unwrap() []error })
	require.True(t, ok)
	require.NotEmpty(t, joined.Unwrap())
	for _, record := range []string{"group", "member", "shard", "pin", "beat"} {
		require.ErrorContains(t, g.Unreadable, record)
	}
}

// A trim mark that cannot be read does not make the reader scan for ever.
func TestUnreadableTrimMark(t *testing.T) {
	p := newPool(t, memkv.New(memkv.Options{}), "g", 3)
	p.do(func(tr kv.Transaction) error { tr.Set(root.Sub("g", "trimmed").Bytes(), []byte("rubbish")); return nil })
	r := newGroupReader(p.db, 100)
	require.Equal(t, 3, only(t, r).Shards)
	p.join("a", 1)
	require.Len(t, only(t, r).Members, 1)
}

// All records are read again from time to time, since damage is not in the log.
func TestDamageIsFound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, memkv.New(memkv.Options{}), "g", 3)
		r := newGroupReader(p.db, 100)
		require.NoError(t, only(t, r).Unreadable)
		p.do(func(tr kv.Transaction) error {
			tr.Set(root.Sub("g", "shards", "s00000").Bytes(), []byte("rubbish"))
			return nil
		})
		only(t, r)
		time.Sleep(10 * time.Minute)
		require.NoError(t, only(t, r).Unreadable)
		g := only(t, r)
		require.Error(t, g.Unreadable)
		require.Equal(t, [2]int{1, 2}, [2]int{g.Damaged, g.Free})
		before := p.db.Counters()
		only(t, r)
		require.EqualValues(t, 1, p.db.Counters().Sub(before).Transactions, "it follows the log again")
	})
}

// If the subspace is a group itself, its records are neither elections nor groups.
func TestSubspaceOfAGroup(t *testing.T) {
	db := memkv.New(memkv.Options{})
	p := newPool(t, db, "inner", 1)
	p.Group = group.New(root)
	p.do(func(tr kv.Transaction) error { _, err := p.Initialize(tr, group.DefaultConfig()); return err })
	p.join("group", 1)
	p.join("config", 1)
	require.Equal(t, "inner", only(t, newGroupReader(db, 100)).Name)
	require.Empty(t, newReader(db, 100).Read().Elections)
}

// If a read fails in the middle of a scan, the next one goes on.
func TestScanGoesOn(t *testing.T) {
	db := memkv.New(memkv.Options{})
	newPool(t, db, "g", 12_000)
	store := &away{db, 2}
	r := newGroupReader(store, 100)
	require.Error(t, r.Read().Err)
	store.left = 4
	require.Equal(t, 12_000, only(t, r).Shards)
	require.Zero(t, store.left, "names, two pages and the log")
}

// Shards of members of different weights are spread evenly if their number is in proportion.
func TestSpread(t *testing.T) {
	ready := func(weight int32, shards int) groupview.Member {
		return groupview.Member{Record: &group.Member{Weight: weight}, Shards: shards}
	}
	for _, c := range []struct {
		members []groupview.Member
		want    float64
	}{
		{nil, 0},
		{[]groupview.Member{ready(1, 7)}, 0},
		{[]groupview.Member{ready(1, 7), ready(1, 9)}, 2},
		{[]groupview.Member{ready(100, 10), ready(300, 30)}, 0},
		{[]groupview.Member{ready(100, 10), ready(300, 36)}, 2},
		{[]groupview.Member{ready(1, 7), ready(0, 100), {Shards: 50}, {Record: &group.Member{Weight: 1, NotReady: "cold"}}}, 0},
	} {
		require.InDelta(t, c.want, groupview.Spread(c.members), 1e-9)
	}
}

// The read fails if the store does, and says so.
func TestGroupsOfAStoreThatFails(t *testing.T) {
	db := memkv.New(memkv.Options{})
	newPool(t, db, "g", 1)
	store := &away{db, 0}
	reading := newGroupReader(store, 100).Read()
	require.Error(t, reading.Err)
	require.EqualValues(t, 1, reading.Errors)
}
