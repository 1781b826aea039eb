// Package electiontest is the conformance suite of package election. Every engine runs it.
// The name of a test begins with the number of the rule in the design that it checks.
package electiontest

import (
	"slices"
	"testing"

	"github.com/fdbelection/fdbelection/internal/suite"
)

// Run runs the whole suite.
func Run(t *testing.T, engine suite.Engine) {
	t.Helper()
	suite.Run(t, engine, tests, newTestElection)
}

type test func(t *testing.T, e *testElection)

var tests = slices.Concat(
	claimTests, renewalTests, conflictTests, dependencyTests, lateTests, rerunTests, registrationTests,
	disabledTests, configTests, preemptionTests, transferTests, fenceTests, evictionTests,
	observationTests, statelessTests, requestedTests, unreadableTests, lostTests,
	nestedTests, monitorTests, readinessTests, noticeTests, badInputTests, regressionTests, recordRegressionTests, conditionTests, operatorTests,
)
