package kvtest

import (
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/testseed"
	"github.com/fdbelection/fdbelection/kv"
)

// txn records what a committed transaction read and wrote.
type txn struct {
	readVersion int64
	stamp       string // "" if it wrote nothing
	read, wrote map[string]string
}

// version returns the committed version, which is part of the stamp.
func (d txn) version() int64 { return int64(binary.BigEndian.Uint64([]byte(d.stamp))) }

// serialOrder runs random transactions on all handles concurrently. It then replays
// them in the order of their stamps. Each must have read what the transactions
// before it wrote.
func serialOrder(t *env, handles ...*env) {
	const workers, each = 6, 15
	seed := testseed.Draw(t)
	var mu sync.Mutex
	var txns []txn
	t.concurrently(workers, func(worker int) error {
		handle, random := handles[worker%len(handles)], rand.New(rand.NewPCG(seed, uint64(worker)))
		for i := range each {
			d, err := handle.runRandom(random, numbered(worker)+numbered(i))
			if err != nil {
				return err
			}
			mu.Lock()
			txns = append(txns, d)
			mu.Unlock()
		}
		return nil
	})
	checkSerial(t, txns)
}

// runRandom runs one random transaction. It writes value, which is unique.
func (t *env) runRandom(random *rand.Rand, value string) (txn, error) {
	keys := strings.Split("abcdef", "")
	random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	read, write := keys[:1+random.IntN(3)], keys[2:2+random.IntN(3)]
	var stamp kv.Future[[]byte]
	d, err := kv.Transact(t.ctx, t, func(tr kv.Transaction) (txn, error) {
		d := txn{read: map[string]string{}, wrote: map[string]string{}}
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
			d.read[key] = string(found)
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

// checkSerial replays transactions in order.
func checkSerial(t *env, txns []txn) {
	t.Helper()
	var writers, readers []txn
	for _, d := range txns {
		if d.stamp == "" {
			readers = append(readers, d)
		} else {
			writers = append(writers, d)
		}
	}
	slices.SortFunc(writers, func(a, b txn) int { return strings.Compare(a.stamp, b.stamp) })
	slices.SortFunc(readers, func(a, b txn) int { return int(a.readVersion - b.readVersion) })
	state := map[string]string{}
	for _, w := range writers {
		for len(readers) > 0 && readers[0].readVersion < w.version() {
			requireRead(t, state, readers[0])
			readers = readers[1:]
		}
		require.Less(t, w.readVersion, w.version())
		requireRead(t, state, w)
		maps.Copy(state, w.wrote)
	}
	for _, r := range readers {
		requireRead(t, state, r)
	}
	for key, value := range state {
		require.Equal(t, value, t.stored(key))
	}
}

// requireRead requires that a transaction read a state.
func requireRead(t *env, state map[string]string, d txn) {
	t.Helper()
	for key, value := range d.read {
		require.Equal(t, state[key], value, "%s, read at %d, committed at %x", key, d.readVersion, d.stamp)
	}
}
