// Package electortest tests the behaviour of electors on any engine. It runs in real time,
// unless the engine runs in virtual time. If a test is not about the end of a lease, its
// lease is so long that only an event can explain what happens.
package electortest

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/funcname"
	"github.com/fdbelection/fdbelection/kv"
)

// Engine is an engine under test.
type Engine struct {
	Name string
	// Prefix begins every key that the suite uses. It may be empty.
	Prefix []byte
	// Open opens a database for one test. Each call of handle returns a new handle, like
	// the handle of another process. The database may be shared, because every test uses a
	// subspace of its own below Prefix and clears it.
	Open func(t testing.TB) (handle func() kv.Database)
	// Virtual runs the tests in virtual time (testing/synctest). The engine must then wait
	// for nothing outside the test. Tests that need real time run in it anyway.
	Virtual bool
}

// Run runs the complete suite.
func Run(t *testing.T, engine Engine) {
	t.Helper()
	for _, test := range tests {
		t.Run(engine.Name+"/"+funcname.Sentence(test), func(t *testing.T) {
			t.Parallel()
			if engine.Virtual {
				synctest.Test(t, func(t *testing.T) { test(newCluster(t, engine, virtualClock{})) })
			} else {
				test(newCluster(t, engine, elector.SystemClock()))
			}
		})
	}
	for _, test := range realTimeTests {
		t.Run(engine.Name+"/"+funcname.Sentence(test), func(t *testing.T) {
			t.Parallel()
			test(newCluster(t, engine, elector.SystemClock()))
		})
	}
}

// A test is named after its function: fencedWrites is Fenced_writes.
type test func(tc *cluster)

// virtualClock is the clock of a synctest bubble.
type virtualClock struct{}

func (virtualClock) Now() time.Time  { return time.Now() }
func (virtualClock) Wall() time.Time { return time.Now() }
func (virtualClock) AfterFunc(d time.Duration, f func()) elector.Timer {
	return time.AfterFunc(d, f)
}

var tests = slices.Concat(
	tenureTests, crashTests, workTests, observationTests, fenceTests,
	priorityTests, requestTests, configTests, memberTests, identityTests, readinessTests,
)
