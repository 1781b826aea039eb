package kvtest

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// deed is what a transaction saw and did, once it has committed.
type deed struct {
	readVersion int64
	stamp       string // "" where it wrote nothing
	saw, wrote  map[string]string
}

// version is the committed version in the stamp.
func (d deed) version() int64 { return int64(binary.BigEndian.Uint64([]byte(d.stamp))) }

// serialOrder runs random transactions on all handles at once, and then
// replays them one by one in the order of their stamps: each must have seen
// what those before it wrote.
func serialOrder(t *T, handles ...*T) {
	const workers, each = 6, 15
	seed := t.random().Uint64()
	var mu sync.Mutex
	var deeds []deed
	t.together(workers, func(worker int) error {
		handle, random := handles[worker%len(handles)], rand.New(rand.NewPCG(seed, uint64(worker)))
		for i := range each {
			d, err := handle.act(random, numbered(worker)+numbered(i))
			if err != nil {
				return err
			}
			mu.Lock()
			deeds = append(deeds, d)
			mu.Unlock()
		}
		return nil
	})
	checkSerial(t, deeds)
}

// act runs one random transaction, whose writes nobody else makes.
func (t *T) act(random *rand.Rand, value string) (deed, error) {
	keys := strings.Split("abcdef", "")
	random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	read, write := keys[:1+random.IntN(3)], keys[2:2+random.IntN(3)]
	var stamp kv.Future[[]byte]
	d, err := kv.Transact(t.ctx, t, func(tr kv.Transaction) (deed, error) {
		d := deed{saw: map[string]string{}, wrote: map[string]string{}}
		stamp = tr.GetVersionstamp()
		version, err := tr.GetReadVersion().Get()
		if err != nil {
			return d, err
		}
		d.readVersion = version
		for _, key := range read {
			found, err := tr.Get(t.key(key)).Get()
			if err != nil {
				return d, err
			}
			d.saw[key] = string(found)
		}
		for _, key := range write {
			tr.Set(t.key(key), []byte(value))
			d.wrote[key] = value
		}
		return d, nil
	})
	if err == nil && len(write) > 0 {
		var bytes []byte
		bytes, err = stamp.Get()
		d.stamp = string(bytes)
	}
	return d, err
}

// checkSerial replays transactions.
func checkSerial(t *T, deeds []deed) {
	t.Helper()
	var writers, readers []deed
	for _, d := range deeds {
		if d.stamp == "" {
			readers = append(readers, d)
		} else {
			writers = append(writers, d)
		}
	}
	slices.SortFunc(writers, func(a, b deed) int { return strings.Compare(a.stamp, b.stamp) })
	slices.SortFunc(readers, func(a, b deed) int { return int(a.readVersion - b.readVersion) })
	state := map[string]string{}
	for _, w := range writers {
		for len(readers) > 0 && readers[0].readVersion < w.version() {
			seen(t, state, readers[0])
			readers = readers[1:]
		}
		require.Less(t, w.readVersion, w.version())
		seen(t, state, w)
		maps.Copy(state, w.wrote)
	}
	for _, r := range readers {
		seen(t, state, r)
	}
	for key, value := range state {
		require.Equal(t, value, t.stored(key))
	}
}

// seen wants a transaction to have seen a state.
func seen(t *T, state map[string]string, d deed) {
	t.Helper()
	for key, value := range d.saw {
		require.Equal(t, state[key], value, "%s, read at %d, committed at %x", key, d.readVersion, d.stamp)
	}
}
