// Package electiontest is the conformance suite of package election. Every engine runs it.
// The name of a test begins with the number of the rule in the design that it checks.
package electiontest

import (
	"slices"
	"testing"

	"github.com/fdbelection/fdbelection/internal/funcname"
	"github.com/fdbelection/fdbelection/kv"
)

// Engine is an engine that the suite runs on.
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

// Run runs the whole suite.
func Run(t *testing.T, engine Engine) {
	t.Helper()
	for _, test := range tests {
		t.Run(engine.Name+"/"+funcname.Sentence(test), func(t *testing.T) {
			t.Parallel()
			test(t, newTestElection(t, engine))
		})
	}
}

// A test is named after its function: rule01ALiveLeaderIsFollowed is
// Rule01_a_live_leader_is_followed.
type test func(t *testing.T, e *testElection)

var tests = slices.Concat(
	claimTests, renewalTests, conflictTests, dependencyTests, lateTests, rerunTests, registrationTests,
	disabledTests, configTests, preemptionTests, transferTests, fenceTests, evictionTests,
	observationTests, statelessTests, requestedTests, unreadableTests, lostTests,
	nestedTests, monitorTests, readinessTests, noticeTests, badInputTests, regressionTests, recordRegressionTests, conditionTests, operatorTests,
)
