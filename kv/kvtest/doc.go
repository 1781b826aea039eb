// Package kvtest is the conformance suite of the contract in package kv: what
// an engine must do so that code written for FoundationDB cannot tell the
// difference. Every engine runs the same cases.
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
// # Capabilities
//
// Some cases need a hand on the engine: on its clock, on its faults, on a
// second handle. An engine offers what it has in its Store and names what it
// lacks, with the reason, in Engine.Lacks. Nothing is left out silently: a case
// that is not applicable is skipped with the reason, and a capability that is
// neither there nor accounted for is a failure.
//
// CASES.md lists all cases, what each shows, and which of this module's
// engines show it.
//
// A cluster behind an adapter can let time pass by waiting, and can be opened
// twice; it will lack Backoffs, Recovery, Faults, Holds and Reopening, and
// KeySpace and WatchLimit where cases share it, each behind a Store.Prefix that
// Open has cleared. An adapter that cannot tell whether a commit had begun when
// it failed lacks Outcomes too, and calls the outcome Unsettled.
//
// # Real time
//
// Cases run in parallel, in any order, each in a Store of its own, and never
// sleep: they wait for events, and Engine.Patience only bounds how long a case
// that fails takes. An engine on real time may let Store.Advance wait, or lack
// Clock.
//
// A random case logs its seed; KVTEST_SEED replays it.
//
// # Where the answers come from
//
// From histories that were recorded from FoundationDB 7.3, and where these are
// silent from its sources and its documentation. The suite itself is proven by
// mutants: its own tests put faults into an engine, and see that each is found
// and that no case passes whatever happens.
package kvtest
