// Package suite is what the conformance suites of the protocols share: an engine that a
// suite runs on, and the part of its database that one test uses.
package suite

import (
	"testing"
	"time"

	"github.com/fdbelection/fdbelection/internal/funcname"
	"github.com/fdbelection/fdbelection/kv"
)

// Engine is an engine that a suite runs on.
type Engine struct {
	Name string
	// Prefix begins every key that the suite uses. It may be empty.
	Prefix []byte
	// Open returns a database for one test. Tests may share a database, since each uses and
	// clears its own subspace below Prefix.
	Open func(t testing.TB) kv.Database
	// SpuriousWatches says that a watch may fire without a change.
	SpuriousWatches bool
}

// Run runs the tests of a suite. A test is named after its function:
// rule01ALiveLeaderIsFollowed is Rule01_a_live_leader_is_followed. Each has a fixture of its
// own.
func Run[Fixture any, Test ~func(t *testing.T, f Fixture)](
	t *testing.T, engine Engine, tests []Test, fixture func(t *testing.T, engine Engine) Fixture,
) {
	t.Helper()
	for _, test := range tests {
		t.Run(engine.Name+"/"+funcname.Sentence(test), func(t *testing.T) {
			t.Parallel()
			test(t, fixture(t, engine))
		})
	}
}

// Epoch is the start of the clocks of the tests.
var Epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// At returns the instant some seconds after Epoch.
func At(seconds float64) time.Time {
	return Epoch.Add(time.Duration(seconds * float64(time.Second)))
}
