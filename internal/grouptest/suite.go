// Package grouptest is the conformance suite of package group. Every engine runs it. The name
// of a test begins with the number of the rule in the design of groups that it checks.
package grouptest

import (
	"slices"
	"testing"

	"github.com/fdbelection/fdbelection/internal/suite"
)

// Run runs the whole suite.
func Run(t *testing.T, engine suite.Engine) {
	t.Helper()
	suite.Run(t, engine, tests, newTestGroup)
}

type test func(t *testing.T, g *testGroup)

var tests = slices.Concat(
	dependencyTests, rerunTests, joinTests, heartbeatTests, evictionTests, claimTests, releaseTests, leaveTests,
	fenceTests, removalTests, raiseTests, batchTests, scanTests, logTests, restoredTests, mirrorTests, requestTests, steeringTests,
	configTests, nestedTests, severalTests, badInputTests, foreignTests, damagedTests,
)
