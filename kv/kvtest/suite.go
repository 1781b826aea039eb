package kvtest

import (
	"slices"
	"strings"
	"testing"
)

// Case is one test of the suite.
type Case struct {
	// Name is the group and the case, such as "Watch/Cancel".
	Name string
	// Shows describes the behaviour that the case checks.
	Shows string
	// Needs lists the capabilities that the case needs.
	Needs []Capability

	run func(t *env)
}

// Cases returns all cases of the suite, in the order of CASES.md.
func Cases() []Case {
	return slices.Concat(
		conflictCases,
		explicitConflictCases,
		ownWriteCases,
		snapshotCases,
		tooOldCases,
		versionCases,
		readVersionCases,
		versionstampCases,
		badTemplateCases(),
		unreadableCases,
		commitCases,
		unknownResultCases,
		onErrorCases,
		retryLimitCases,
		timeoutCases,
		limitCases,
		watchCases,
		watchFailureCases,
		contextCases,
		transactCases,
		resetCases,
		keyCases,
		rangeCases,
		futureCases,
		isolationCases,
		handleCases,
	)
}

// Run runs every case as a parallel subtest. It skips cases that need a capability
// that the engine lacks, and logs the reason.
func Run(t *testing.T, e Engine) {
	t.Helper()
	for _, c := range Cases() {
		if reason := c.Lacking(e); reason != "" {
			t.Logf("not applicable to %s: %s: %s", e.Name, c.Name, reason)
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Run(t, e)
		})
	}
}

// Run runs the case on one engine, like a subtest of the function Run.
func (c Case) Run(tb testing.TB, e Engine) {
	tb.Helper()
	for capability, reason := range e.Lacks {
		if reason == "" {
			tb.Fatalf("%s: Lacks[%q] gives no reason", e.Name, capability)
		}
	}
	if reason := c.Lacking(e); reason != "" {
		tb.Skipf("not applicable to %s: %s", e.Name, reason)
	}
	for range maxStalls {
		if !c.attempt(newEnv(tb, e, c)) {
			return
		}
		tb.Logf("%s: the machine stalled and a transaction expired; trying again", c.Name)
	}
	t := newEnv(tb, e, c)
	t.stall = nil // the last attempt
	c.run(t)
}

// Lacking returns why the engine cannot run the case, or "".
func (c Case) Lacking(e Engine) string {
	var reasons []string
	for _, need := range c.Needs {
		if reason, lacks := e.Lacks[need]; lacks {
			reasons = append(reasons, string(need)+": "+reason)
		}
	}
	return strings.Join(reasons, "; ")
}
