// Package electortest is the behaviour of electors as one suite of tests, to be
// run on every engine. It runs in real time, as a real database does: where the
// end of a lease is not the point of a test, the lease is so long that nothing
// but an event can explain what happens.
package electortest

import (
	"slices"
	"testing"

	"github.com/fdbelection/fdbelection/kv"
)

// Engine is what the suite runs on.
type Engine struct {
	Name string
	// Prefix begins every key that the suite uses. It may be empty.
	Prefix []byte
	// Open opens a database for one test, and returns what makes handles on it:
	// each call makes another one, as another process would have. The database may
	// be shared, as every test uses a subspace of its own below Prefix, and clears it.
	Open func(t testing.TB) (handle func() kv.Database)
}

// Run runs the whole suite.
func Run(t *testing.T, engine Engine) {
	t.Helper()
	for _, test := range tests {
		t.Run(engine.Name+"/"+test.name, func(t *testing.T) {
			t.Parallel()
			test.run(newCluster(t, engine))
		})
	}
}

type test struct {
	name string
	run  func(tc *cluster)
}

var tests = slices.Concat(
	tenureTests, crashTests, workTests, observationTests, fenceTests,
	priorityTests, requestTests, configTests, memberTests, identityTests,
)
