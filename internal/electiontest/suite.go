// Package electiontest is the behaviour of an election as one suite of tests,
// to be run on every engine. Each numbered rule of the design has a test of
// its name.
package electiontest

import (
	"testing"

	"github.com/fdbelection/fdbelection/kv"
)

// Engine is what the suite runs on.
type Engine struct {
	Name string
	// Prefix begins every key that the suite uses. It may be empty.
	Prefix []byte
	// Open returns a database for one test. It may be shared: every test uses a
	// subspace of its own below Prefix, and clears it.
	Open func(t testing.TB) kv.Database
	// SpuriousWatches says that a watch may fire without a change.
	SpuriousWatches bool
}

// Run runs the whole suite.
func Run(t *testing.T, engine Engine) {
	t.Helper()
	for _, test := range tests {
		t.Run(engine.Name+"/"+test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newWorld(t, engine))
		})
	}
}

type test struct {
	name string
	run  func(t *testing.T, w *world)
}

var tests = concat(
	claimTests, renewalTests, conflictTests, dependencyTests, lateTests, rerunTests, registrationTests,
	disabledTests, configTests, preemptionTests, transferTests, fenceTests, evictionTests,
	observationTests, unattendedTests, requestedTests, unreadableTests, lostTests,
	nestedTests, monitorTests, badInputTests, regressionTests, conditionTests, steeringTests,
)

func concat(groups ...[]test) (all []test) {
	for _, group := range groups {
		all = append(all, group...)
	}
	return all
}
