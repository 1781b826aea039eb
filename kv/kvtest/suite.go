package kvtest

import (
	"slices"
	"strings"
	"testing"
)

// Case is one thing that an engine must do.
type Case struct {
	// Name is the group and the case, as in "Watch/Cancel".
	Name string
	// Shows says in a sentence what the engine does.
	Shows string
	// Needs are the capabilities without which the case cannot be shown.
	Needs []Capability

	run func(t *T)
}

// Cases returns the suite, in the order of the listing.
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
		randomCases,
		handleCases,
	)
}

// Run runs every case as a parallel subtest. What the engine cannot show is
// skipped with the reason, and the log of t lists it.
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

// Run runs the case on one engine.
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
	for range stallsExcused {
		if !c.attempt(newT(tb, e, c)) {
			return
		}
		tb.Logf("%s: the machine stood still, and a transaction grew too old meanwhile: once more", c.Name)
	}
	t := newT(tb, e, c)
	t.stall = nil // enough
	c.run(t)
}

// Lacking says why an engine cannot show the case, or returns "".
func (c Case) Lacking(e Engine) string {
	var reasons []string
	for _, need := range c.Needs {
		if reason, lacks := e.Lacks[need]; lacks {
			reasons = append(reasons, string(need)+": "+reason)
		}
	}
	return strings.Join(reasons, "; ")
}
