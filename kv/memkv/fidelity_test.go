package memkv

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	showSeed = flag.Int64("history", 0, "show the recorded history of this seed, with the engine's answers beside")
)

// mismatch is a step that the engine answered otherwise than the real database.
type mismatch struct {
	history  history
	step     int
	recorded *answer
	engine   *answer
}

func (m mismatch) String() string {
	return fmt.Sprintf("history %d (%s), step %d: %s\n\trecorded: %s\n\tengine:   %s\n\tshow it: go test ./kv/memkv -run TestShowHistory -v -history %d",
		m.history.Seed, m.history.Kind, m.step, m.history.Steps[m.step].String(), m.recorded, m.engine, m.history.Seed)
}

// replay plays a history and returns its first mismatch, or nil. Operations
// that the contract cannot express are counted in leftOut by name.
func replay(h history, leftOut map[string]int) *mismatch {
	p := newPlayer()
	for i, s := range h.Steps {
		got, known := p.play(s)
		if !known {
			leftOut[s.Op]++
			continue
		}
		if !reflect.DeepEqual(got, s.Answer) {
			return &mismatch{h, i, s.Answer, got}
		}
	}
	return nil
}

// TestFidelity replays what the real database was recorded to do.
func TestFidelity(t *testing.T) {
	all := histories(t)
	require.NotEmpty(t, all)
	leftOut := map[string]int{}
	agree, kinds := 0, map[string]int{}
	for _, h := range all {
		kinds[h.Kind]++
		if m := replay(h, leftOut); m != nil {
			if t.Errorf("%s", m); len(all)-agree > 20+kinds[h.Kind] {
				continue
			}
			continue
		}
		agree++
	}
	steps := 0
	for op, n := range leftOut {
		steps += n
		fmt.Printf("fidelity: left out: %s, %d times\n", op, n)
	}
	fmt.Printf("fidelity: %d of %d histories agree (%d steps left out)\n", agree, len(all), steps)
	names := make([]string, 0, len(kinds))
	for k := range kinds {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		t.Logf("%s: %d histories", k, kinds[k])
	}
}

// TestShowHistory shows one history in readable form.
func TestShowHistory(t *testing.T) {
	if *showSeed == 0 {
		t.Skip("give a seed with -history")
	}
	for _, h := range histories(t) {
		if h.Seed != *showSeed {
			continue
		}
		fmt.Fprintf(os.Stdout, "%s", h)
		if m := replay(h, map[string]int{}); m != nil {
			fmt.Fprintln(os.Stdout, m)
		}
		return
	}
	t.Fatalf("no history has the seed %d; FDB_TRACES may name the folder of the whole recording", *showSeed)
}
