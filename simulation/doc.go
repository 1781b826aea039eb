// Package simulation tests the election in simulated time. It runs several processes with
// the state machine of package elector and the transactions of package election, on the
// engine in memory, and injects faults. A seed decides every fault, every delay and the
// order of all reads and commits, so the same seed gives the same run.
//
// A run checks the invariants of docs/simulation.md after every commit, every call to the
// database and every step of a process. Run runs one seed, and Sweep runs many. If a seed
// fails, Explain finds the smallest run that fails in the same way, and prints the command
// that replays it and its timeline.
//
// A run has one thread. A scheduler takes events from a queue in the order of their time.
// Each operation of a process is a coroutine that yields to the scheduler in every call to
// the engine.
package simulation
