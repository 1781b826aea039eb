package kvtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// seedVariable is the environment variable that replays a random case.
const seedVariable = "KVTEST_SEED"

// random returns a source of randomness, and says how to have it again.
func (t *T) random() *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if given := os.Getenv(seedVariable); given != "" {
		var err error
		seed, err = strconv.ParseUint(given, 10, 64)
		require.NoError(t, err, seedVariable)
	}
	t.Logf("seed %d; replay with: %s=%d go test -run '%s'", seed, seedVariable, seed, t.Name())
	return rand.New(rand.NewPCG(seed, 0))
}

// randomCases compare an engine with the model.
var randomCases = []Case{
	{
		Name:  "Random/Histories",
		Shows: "random interleavings of a few transactions answer as a model of the rules does, step by step",
		Needs: []Capability{History},
		run:   func(t *T) { histories(t, 60, t) },
	},
}

// histories plays random histories, whose transactions are of the handles in
// turn.
func histories(t *T, n int, handles ...*T) {
	random := t.random()
	for range n {
		h := &history{t: t, handles: handles, random: random, model: newModel()}
		h.play()
	}
}

// history is a run of a few transactions, in the engine and in the model.
type history struct {
	t       *T
	handles []*T
	random  *rand.Rand
	model   *model
	real    [3]kv.OwnedTransaction
	mirror  [3]*modelTransaction
	steps   []string // what was done, for a failure
}

func (h *history) play() {
	clean := h.t.begin()
	clean.ClearRange(h.t.key(""), h.t.end(""))
	h.t.commit(clean)
	for i := range h.real {
		h.begin(i)
	}
	for range 30 {
		h.step(h.random.IntN(len(h.real)))
	}
	h.same("the end", h.model.begin().scan(modelKeys, kv.RangeOptions{}, false), h.t.storedAll())
}

func (h *history) begin(i int) {
	h.real[i], h.mirror[i] = h.handles[i%len(h.handles)].begin(), h.model.begin()
}

// step does one random thing in transaction i.
func (h *history) step(i int) {
	tr, mirror := h.real[i], h.mirror[i]
	key := modelKeys[2*h.random.IntN(len(modelKeys)/2)]
	from, to := 2*h.random.IntN(len(modelKeys)/2), 2*h.random.IntN(len(modelKeys)/2)
	from, to = min(from, to), max(from, to)
	begin, end, keys := modelKeys[from], modelKeys[to], modelKeys[from:to]
	reader, snapshot := kv.ReadTransaction(tr), h.random.IntN(3) == 0
	if snapshot {
		reader = tr.Snapshot()
	}
	switch h.random.IntN(12) {
	case 0, 1, 2:
		h.pin(i)
		h.log(i, "get %s, snapshot %v", key, snapshot)
		h.same("get", mirror.get(key, snapshot), h.t.get(reader, key))
	case 3, 4:
		h.pin(i)
		opts := kv.RangeOptions{Limit: h.random.IntN(4), Reverse: h.random.IntN(2) == 0}
		h.log(i, "range %s to %s, %+v, snapshot %v", begin, end, opts, snapshot)
		h.same("range", mirror.scan(keys, opts, snapshot), h.t.scan(reader, begin, end, opts))
	case 5, 6:
		value := strconv.Itoa(len(h.steps))
		h.log(i, "set %s to %s", key, value)
		tr.Set(h.t.key(key), []byte(value))
		mirror.write(value, key)
	case 7:
		h.log(i, "clear %s", key)
		tr.Clear(h.t.key(key))
		mirror.write(absent, key)
	case 8:
		h.log(i, "clear %s to %s", begin, end)
		tr.ClearRange(h.t.key(begin), h.t.key(end))
		mirror.write(absent, keys...)
	case 9:
		h.conflict(i, key)
	default:
		h.commit(i)
	}
}

// pin takes the read version of transaction i before its first read: whether
// one that own writes can answer would take it is the engine's affair.
func (h *history) pin(i int) {
	if h.mirror[i].version < 0 {
		h.log(i, "read version")
		h.t.readVersion(h.real[i])
		h.mirror[i].state()
	}
}

// conflict adds a conflict key by hand.
func (h *history) conflict(i int, key string) {
	if h.random.IntN(2) == 0 {
		h.log(i, "read conflict %s", key)
		require.NoError(h.t, h.real[i].AddReadConflictKey(h.t.key(key)))
		h.mirror[i].depend(key)
		return
	}
	h.log(i, "write conflict %s", key)
	require.NoError(h.t, h.real[i].AddWriteConflictKey(h.t.key(key)))
	h.mirror[i].writes[key] = struct{}{}
}

// commit ends transaction i and begins another in its place.
func (h *history) commit(i int) {
	h.log(i, "commit")
	err := h.real[i].Commit()
	if err != nil {
		h.t.fails(err, kv.CodeNotCommitted, "Commit")
	}
	h.same("committed", fmt.Sprint(h.mirror[i].commit()), fmt.Sprint(err == nil))
	h.begin(i)
}

func (h *history) log(i int, format string, args ...any) {
	h.steps = append(h.steps, fmt.Sprintf("T%d: ", i)+fmt.Sprintf(format, args...))
}

// same wants the engine's answer to be the model's.
func (h *history) same(what, want, got string) {
	h.t.Helper()
	require.Equal(h.t, want, got, "%s, after these steps:\n%s", what, strings.Join(h.steps, "\n"))
}
