package memkv

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	showSeed = flag.Int64("history", 0, "print the recorded history with this seed, and the first step that differs")
	sample   = flag.Bool("sample", false, "resample testdata from the directory in FDB_TRACES")
)

// mismatch is a step whose result differs from the recorded one.
type mismatch struct {
	history history
	step    int
	engine  *answer
}

func (m mismatch) String() string {
	s := m.history.Steps[m.step]
	recorded := s.Answer
	s.Answer = nil
	return fmt.Sprintf("history %d (%s), step %d: %s\n\trecorded: %s\n\tengine:   %s\n\t"+
		"to reproduce: go test ./kv/memkv -run TestShowHistory -v -history %d",
		m.history.Seed, m.history.Kind, m.step, s, recorded, m.engine, m.history.Seed)
}

// replay runs a history and returns its first mismatch, or nil. It skips operations
// that package kv does not have, and counts them by name in leftOut.
func replay(h history, leftOut map[string]int) *mismatch {
	p := newPlayer()
	for i, s := range h.Steps {
		got, known := p.play(s)
		if !known {
			leftOut[s.Op]++
			continue
		}
		if !reflect.DeepEqual(got, s.Answer) {
			return &mismatch{h, i, got}
		}
	}
	return nil
}

// shownMismatches is the number of mismatches to print.
const shownMismatches = 20

// TestFidelity replays recorded histories of the real database and expects the same
// result of every step.
func TestFidelity(t *testing.T) {
	all := histories(t)
	require.NotEmpty(t, all)
	leftOut, kinds := map[string]int{}, map[string]int{}
	agree := 0
	for _, h := range all {
		kinds[h.Kind]++
		m := replay(h, leftOut)
		if m == nil {
			agree++
		} else if sum(kinds)-agree <= shownMismatches {
			t.Errorf("%s", m)
		}
	}
	for _, kind := range sortedKeys(kinds) {
		t.Logf("kind %s: %d histories", kind, kinds[kind])
	}
	for _, op := range sortedKeys(leftOut) {
		fmt.Printf("fidelity: skipped: %s, %d times\n", op, leftOut[op])
	}
	fmt.Printf("fidelity: %d of %d histories agree (%d steps skipped)\n", agree, len(all), sum(leftOut))
	require.Equal(t, len(all), agree, "histories that agree")
}

// TestShowHistory prints one history.
func TestShowHistory(t *testing.T) {
	if *showSeed == 0 {
		t.Skip("prints one history; set its seed with -history")
	}
	all := histories(t)
	i := slices.IndexFunc(all, func(h history) bool { return h.Seed == *showSeed })
	require.GreaterOrEqual(t, i, 0, "no history has this seed; set FDB_TRACES to the directory of the full recording")
	fmt.Print(all[i])
	if m := replay(all[i], map[string]int{}); m != nil {
		fmt.Println(m)
	}
}

// caught are the seeds of histories that found a bug in this engine.
var caught = []int64{
	1550, 2600, 4100, 4650, 5200, 5300, 5850, 6450, 6650, 6950, // watches of a cancelled transaction
	4294, // a read that fails with 1036 still takes the read version
}

// sampled reports whether the n-th history of its kind is part of testdata.
func sampled(h history, n int) bool {
	switch h.Kind {
	case "old":
		return true
	case "watches", "limits":
		return n%5 == 0 || slices.Contains(caught, h.Seed)
	default:
		return n%10 == 0 || slices.Contains(caught, h.Seed)
	}
}

// TestSample rewrites testdata.
func TestSample(t *testing.T) {
	if !*sample {
		t.Skip("rewrites testdata; run it with -sample and FDB_TRACES")
	}
	require.NotEmpty(t, os.Getenv("FDB_TRACES"))
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	require.NoError(t, err)
	kinds := map[string]int{}
	for _, h := range histories(t) {
		if sampled(h, kinds[h.Kind]) {
			require.NoError(t, json.NewEncoder(z).Encode(h))
		}
		kinds[h.Kind]++
	}
	require.NoError(t, z.Close())
	require.NoError(t, os.WriteFile(filepath.Join("testdata", tracesFile), out.Bytes(), 0o600))
}

func sortedKeys(m map[string]int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func sum(m map[string]int) int {
	total := 0
	for _, n := range m {
		total += n
	}
	return total
}
