package differential

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fdbelection/fdbelection/internal/testseed"
	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// Run plays random scripts on both engines, and fails at the first script with
// different results. testseed.Variable replays a run.
func Run(t *testing.T, reference, other kvtest.Engine, scripts int) {
	t.Helper()
	seed := testseed.Draw(t)
	d := &difference{t: t, stores: [2]kvtest.Store{reference.Open(t), other.Open(t)}}
	random := rand.New(rand.NewPCG(seed, 0))
	for n := range scripts {
		script := generate(random)
		if d.differs(script) {
			small := d.minimise(script)
			t.Fatalf("script %d has different results on %s and %s; %s\n%s",
				n, reference.Name, other.Name, testseed.Replay(t, seed), d.explain(small, reference.Name, other.Name))
		}
	}
}

// difference compares two engines.
type difference struct {
	t      testing.TB
	stores [2]kvtest.Store
}

// answers plays a script on both engines. If an engine fails, its last answer is
// the error.
func (d *difference) answers(script []step) (both [2][]string) {
	for i, store := range d.stores {
		answers, err := play(context.Background(), store, script)
		if err != nil {
			answers = append(answers, "stopped: "+err.Error())
		}
		both[i] = answers
	}
	return both
}

func (d *difference) differs(script []step) bool {
	both := d.answers(script)
	return !slices.Equal(both[0], both[1])
}

// minimise removes steps while the answers still differ: first many at once, then
// single ones.
func (d *difference) minimise(script []step) []step {
	for size := len(script) / 2; size > 0; {
		removed := false
		for at := 0; at+size <= len(script); {
			if less := slices.Delete(slices.Clone(script), at, at+size); d.differs(less) {
				script, removed = less, true
			} else {
				at++
			}
		}
		if !removed || size > 1 {
			size /= 2
		}
	}
	return script
}

// explain formats a script with the answers of both engines.
func (d *difference) explain(script []step, names ...string) string {
	both := d.answers(script)
	if slices.Equal(both[0], both[1]) {
		return fmt.Sprintf("the answers were equal when the script was played again: %v", script)
	}
	var b strings.Builder
	for i := range max(len(both[0]), len(both[1])) {
		title := "a watch"
		switch {
		case i < len(script):
			title = script[i].String()
		case i == len(script):
			title = "the rows at the end"
		}
		fmt.Fprintf(&b, "  %s", title)
		first, second := at(both[0], i), at(both[1], i)
		if first != second {
			fmt.Fprintf(&b, "\n      %s: %s\n      %s: %s\n", names[0], first, names[1], second)
			continue
		}
		fmt.Fprintf(&b, " -> %s\n", first)
	}
	return b.String()
}

// at returns the i-th answer, or a placeholder.
func at(answers []string, i int) string {
	if i < len(answers) {
		return answers[i]
	}
	return "(no answer)"
}
