// Package kvtest is the conformance suite for engines of package kv. An engine that
// passes behaves like FoundationDB to code that uses package kv. A test of the
// engine runs the suite:
//
//	func TestConformance(t *testing.T) {
//		kvtest.Run(t, kvtest.Engine{
//			Name: "my engine",
//			Open: func(t testing.TB) kvtest.Store {
//				return kvtest.Store{Database: open(t)}
//			},
//			Lacks: map[kvtest.Capability]string{
//				kvtest.Reopening: "nothing survives the process",
//				// and so on, each with its reason
//			},
//		})
//	}
//
// CASES.md lists every case and what it shows.
//
// # Capabilities
//
// Some cases must control the engine: its clock, its faults, or a second handle.
// The engine provides the handles that it has in Store, and names the others in
// Engine.Lacks with a reason. A case that needs a missing capability is skipped
// with that reason. A capability that is neither provided nor named makes the case
// fail.
//
// For an adapter to a cluster, Store.Advance can wait and Store.Share can connect
// again. Such an adapter usually lacks Backoffs, Recovery, Faults, Holds and
// Reopening. If cases share the cluster, each with its own empty Store.Prefix, it
// also lacks KeySpace and WatchLimit. If it cannot tell whether a commit had begun
// when it failed, it lacks Outcomes.
//
// # Time and randomness
//
// Cases run in parallel, in any order, each in its own Store. They wait for events
// and do not sleep. Engine.Timeout only limits how long a failing case takes. An
// engine on real time may wait in Store.Advance, or lack Clock.
//
// A random case logs its seed. Set the environment variable SEED to replay it.
//
// # Sources
//
// The expected results come from histories that were recorded from FoundationDB
// 7.3, and from its sources and documentation where the recordings do not cover a
// case. Mutants check the suite itself: its tests put faults into an engine, and
// check that the suite finds each fault and that some fault fails each case.
package kvtest
