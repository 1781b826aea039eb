package group

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/golden"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// docs/format.md has the same values.
var (
	goldenSpace = subspace.New("app", "groups", "main")
	goldenStamp = subspace.Versionstamp{Transaction: [10]byte{0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0x9a, 0, 1}}
	goldenID    = election.Identity{ID: "node-a", Incarnation: uuid.MustParse("11111111-2222-3333-4444-555555555555")}
	goldenOther = election.Identity{ID: "node-b", Incarnation: uuid.MustParse("99999999-8888-7777-6666-555555555555")}
	goldenNonce = uuid.MustParse("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee")
	goldenTime  = time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
)

func goldenConfig() Config {
	c := DefaultConfig()
	c.Revision, c.Nonce, c.Margin = 3, goldenNonce, time.Second
	return c
}

var (
	goldenMember = Member{
		Identity: goldenID, JoinedAt: goldenTime, Weight: 3, Capacity: 500,
		Tags: map[string]string{"zone": "b", "addr": "10.0.0.1:80"}, Balance: 1,
	}
	goldenJoining = Member{
		Identity: goldenOther, JoinedAt: goldenTime, Weight: 1, NotReady: "cache is cold", Draining: true, Balance: 1,
	}
	goldenBeat = Beat{Identity: goldenID, Counter: 300, Lease: 10 * time.Second, Mirror: 0x123456789a}
	goldenLed  = Shard{
		Name: "shard-17", Term: 42, Leader: goldenID, Nonce: goldenNonce, Reason: ReasonBalance, At: goldenTime, Moves: 2,
	}
	goldenVacant  = Shard{Name: "shard-17", Term: 42, Nonce: goldenNonce, Reason: ReasonStop, At: goldenTime}
	goldenCreated = Shard{Name: "shard-17", Term: 41, Reason: ReasonCreated, At: goldenTime}
	goldenRemoval = Request{Kind: RemoveRequest, Term: 42}
	goldenResign  = Request{Kind: ResignRequest, Term: 42, Nonce: goldenNonce}
)

// recorder is a transaction that keeps what is written under versionstamps.
type recorder struct {
	kv.Transaction
	key, value []byte
}

func (*recorder) Set(_, _ []byte) {}

func (*recorder) Clear([]byte) {}

func (r *recorder) SetVersionstampedKey(key, value []byte) { r.key, r.value = key, value }

func (r *recorder) SetVersionstampedValue(key, value []byte) { r.key, r.value = key, value }

// written returns the template that fn writes.
func written(fn func(tr kv.Transaction)) (key, value []byte) {
	var r recorder
	fn(&r)
	return r.key, r.value
}

func goldenRecords(t testing.TB) []golden.Record {
	t.Helper()
	g := New(goldenSpace)
	rowOf := func(kind Kind, name string) func(key, value []byte) (any, error) {
		return func(_, value []byte) (any, error) {
			row := g.row(kind, name, value)
			return row, row.Unreadable
		}
	}
	change := func(key, value []byte) (any, error) {
		c, ok := g.keys.change(key)
		if !ok {
			return nil, errors.New("not the key of an entry of the log")
		}
		c.decode(g, kv.KeyValue{Key: key, Value: value})
		return c, c.Unreadable
	}
	beat := goldenBeat
	beat.Value = string(beat.encode())
	config, pin := goldenConfig(), pinValue("node-a")
	bellKey, bell := written(func(tr kv.Transaction) { g.ring(tr) })
	setKey, set := written(func(tr kv.Transaction) { g.write(tr, KindShard, "shard-17", goldenLed.encode()) })
	removedKey, removed := written(func(tr kv.Transaction) { g.remove(tr, KindMember, "node-b", "node-a", "evicted") })
	configKey, configSet := written(func(tr kv.Transaction) { g.write(tr, KindConfig, "", config.encode()) })
	stamped := func(template []byte) []byte { return golden.Stamped(t, template, goldenStamp) }
	floorOf := func(_, value []byte) (any, error) {
		f, err := g.awaitFloor(got(value))
		return f.term, errors.Join(err, f.err)
	}
	trimmedOf := func(_, value []byte) (any, error) { return g.awaitTrimmed(got(value)) }
	beatOf := func(key, value []byte) (any, error) { return decodeBeat(key, "node-a", value) }
	return []golden.Record{
		golden.Of("config", g.keys.config, config.encode(), rowOf(KindConfig, ""), Row{Kind: KindConfig, Config: &config}),
		golden.Of("member", g.keys.of(KindMember, "node-a"), goldenMember.encode(),
			rowOf(KindMember, "node-a"), Row{Kind: KindMember, Name: "node-a", Member: &goldenMember}),
		golden.Of("member, not ready and draining", g.keys.of(KindMember, "node-b"), goldenJoining.encode(),
			rowOf(KindMember, "node-b"), Row{Kind: KindMember, Name: "node-b", Member: &goldenJoining}),
		golden.Of("beat", g.keys.beat("node-a"), goldenBeat.encode(), beatOf, beat),
		golden.Of("shard", g.keys.of(KindShard, "shard-17"), goldenLed.encode(),
			rowOf(KindShard, "shard-17"), Row{Kind: KindShard, Name: "shard-17", Shard: &goldenLed}),
		golden.Of("shard, vacant", g.keys.of(KindShard, "shard-17"), goldenVacant.encode(),
			rowOf(KindShard, "shard-17"), Row{Kind: KindShard, Name: "shard-17", Shard: &goldenVacant}),
		golden.Of("shard, created", g.keys.of(KindShard, "shard-17"), goldenCreated.encode(),
			rowOf(KindShard, "shard-17"), Row{Kind: KindShard, Name: "shard-17", Shard: &goldenCreated}),
		golden.Of("pin", g.keys.of(KindPin, "shard-17"), pin,
			rowOf(KindPin, "shard-17"), Row{Kind: KindPin, Name: "shard-17", Pin: "node-a"}),
		golden.Of("request, to remove", g.keys.of(KindRequest, "shard-17"), goldenRemoval.encode(),
			rowOf(KindRequest, "shard-17"), Row{Kind: KindRequest, Name: "shard-17", Request: &goldenRemoval}),
		golden.Of("request, to resign", g.keys.of(KindRequest, "shard-17"), goldenResign.encode(),
			rowOf(KindRequest, "shard-17"), Row{Kind: KindRequest, Name: "shard-17", Request: &goldenResign}),
		golden.Of("drain", g.keys.of(KindDrain, "node-a"), record.New(4),
			rowOf(KindDrain, "node-a"), Row{Kind: KindDrain, Name: "node-a"}),
		golden.Of("floor", g.keys.floor, floorValue(42), floorOf, uint64(42)),
		golden.Of("trimmed", g.keys.trimmed, trimmedValue(0x123456789a), trimmedOf, int64(0x123456789a)),
		golden.Of("bell, template", bellKey, bell, nil, nil),
		golden.Of("bell", bellKey, stamped(bell), nil, nil),
		golden.Of("log, template", setKey, set, nil, nil),
		golden.Of("log, of a shard", stamped(setKey), set, change,
			Change{Stamp: goldenStamp, Row: Row{Kind: KindShard, Name: "shard-17", Shard: &goldenLed}}),
		golden.Of("log, of a config", stamped(configKey), configSet, change,
			Change{Stamp: goldenStamp, Row: Row{Kind: KindConfig, Config: &config}}),
		golden.Of("log, of a removal", stamped(removedKey), removed, change,
			Change{Stamp: goldenStamp, Row: Row{Kind: KindMember, Name: "node-b", Removed: true}, By: "node-a", Why: "evicted"}),
	}
}

// got is a read that has returned a value.
type got []byte

func (g got) Get() ([]byte, error) { return g, nil }

// TestFormatIsGolden compares every record with testdata/format.txt, and reads it back.
func TestFormatIsGolden(t *testing.T) { golden.Check(t, goldenRecords(t)) }

// TestRecordsOfTheFirstFormat reads records that the first program has written. Whatever is
// added later, they must stay readable.
func TestRecordsOfTheFirstFormat(t *testing.T) {
	g := New(goldenSpace)
	old := func(kind Kind, name, text string) Row {
		row := g.row(kind, name, golden.Value(t, text))
		require.NoError(t, row.Unreadable)
		return row
	}
	config := goldenConfig()
	require.Equal(t, &config, old(KindConfig, "", "15011501150330aaaaaaaabbbbccccddddeeeeeeeeeeee1902540be40018b2d05e00183b9aca002718b2d05e0015201a4e94914f0000").Config)
	require.Equal(t, &goldenMember, old(KindMember, "node-a", "150130111111112222333344445555555555551c1886caf21c9634a615031601f4050261646472000231302e302e302e313a383000027a6f6e6500026200000200261501").Member)
	require.Equal(t, &goldenLed, old(KindShard, "shard-17", "1501152a026e6f64652d6100301111111122223333444455555555555530aaaaaaaabbbbccccddddeeeeeeeeeeee15031c1886caf21c9634a61502").Shard)
	require.Equal(t, &goldenResign, old(KindRequest, "shard-17", "15011502152a30aaaaaaaabbbbccccddddeeeeeeeeeeee").Request)
	require.Equal(t, "node-a", old(KindPin, "shard-17", "1501026e6f64652d6100").Pin)
	old(KindDrain, "node-a", "1501")
	value := golden.Value(t, "1501301111111122223333444455555555555516012c1902540be40019123456789a")
	beat, err := decodeBeat(g.keys.beat("node-a"), "node-a", value)
	require.NoError(t, err)
	want := goldenBeat
	want.Value = string(value)
	require.Equal(t, want, beat)
	// Only the first elements of a heartbeat are the same in every format.
	value = slices.Concat(subspace.AppendInt(nil, 9), value[2:len(value)-6], subspace.AppendString(nil, "of a later program"))
	beat, err = decodeBeat(g.keys.beat("node-a"), "node-a", value)
	require.NoError(t, err)
	want.Value, want.Mirror = string(value), 0
	require.Equal(t, want, beat)
}

// FuzzDecode passes any bytes to every decoder. It returns a value or an InvalidStateError, and
// never panics. A value that was read can be written and read again, and says the same.
func FuzzDecode(f *testing.F) {
	for _, r := range goldenRecords(f) {
		f.Add(r.Key, r.Value)
	}
	g := New(goldenSpace)
	f.Fuzz(func(t *testing.T, key, value []byte) {
		for kind := KindConfig; kind <= KindDrain; kind++ {
			row := g.row(kind, "name", value)
			if row.Unreadable != nil {
				require.ErrorIs(t, row.Unreadable, fdbelection.ErrInvalidState)
				require.Equal(t, Row{Kind: kind, Name: "name", Unreadable: row.Unreadable}, row)
				continue
			}
			again := g.row(kind, "name", encoded(row))
			require.NoError(t, again.Unreadable)
			require.Equal(t, clamped(row), again)
		}
		beat, err := decodeBeat(key, "name", value)
		if err != nil {
			require.ErrorIs(t, err, fdbelection.ErrInvalidState)
			require.Equal(t, Beat{Identity: election.Identity{ID: "name"}, Value: string(value)}, beat)
		} else {
			again, err := decodeBeat(key, "name", beat.encode())
			require.NoError(t, err)
			again.Value = beat.Value
			require.Equal(t, beat, again)
		}
		if floor, err := g.awaitFloor(got(value)); floor.err == nil && value != nil {
			require.NoError(t, err)
			again, _ := g.awaitFloor(got(floorValue(floor.term)))
			require.Equal(t, floor, again)
		}
		if version, err := g.awaitTrimmed(got(value)); err == nil && value != nil {
			again, err := g.awaitTrimmed(got(trimmedValue(version)))
			require.NoError(t, err)
			require.Equal(t, version, again)
		}
		fuzzKeys(t, g, key, value)
	})
}

// fuzzKeys passes any bytes to what reads keys.
func fuzzKeys(t *testing.T, g *Group, key, value []byte) {
	if c, ok := g.keys.change(key); ok {
		c.decode(g, kv.KeyValue{Key: key, Value: value})
		require.True(t, c.Unreadable == nil || !c.Removed)
		if c.Stamp.User == 0 {
			require.Equal(t, key, golden.Stamped(t, g.keys.entry(c.Kind, c.Name), c.Stamp))
		}
	}
	if name, ok := nameIn(key, g.keys.named[KindShard]); ok {
		require.Equal(t, key, g.keys.of(KindShard, name))
	}
	inLog := slices.Concat(g.keys.log, []byte{record.StampCode}, key)
	version := g.keys.version(inLog)
	require.GreaterOrEqual(t, version, int64(0))
	if version > 0 {
		require.Positive(t, slices.Compare(inLog, g.keys.firstEntry(version-2)), "it is after every earlier version")
	}
	if version < math.MaxInt64 {
		require.Negative(t, slices.Compare(inLog, g.keys.firstEntry(version)), "it is not after its version")
	}
}

// encoded returns the record of a row.
func encoded(row Row) []byte {
	switch row.Kind {
	case KindConfig:
		return row.Config.encode()
	case KindMember:
		return row.Member.encode()
	case KindShard:
		return row.Shard.encode()
	case KindRequest:
		return row.Request.encode()
	case KindPin:
		return pinValue(row.Pin)
	default:
		return record.New(4)
	}
}

// clamped returns a row with its times in the range that is stored.
func clamped(row Row) Row {
	if row.Member != nil {
		m := *row.Member
		m.JoinedAt = record.Instant(m.JoinedAt)
		row.Member = &m
	}
	if row.Shard != nil {
		s := *row.Shard
		s.At = record.Instant(s.At)
		row.Shard = &s
	}
	return row
}
