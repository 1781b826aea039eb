// Package simulation runs many processes of one election in simulated time: the
// real machine of the elector and the real protocol, on the engine in memory,
// under faults that a seed decides. One seed gives one run, always the same.
//
// Everything happens in one thread. A scheduler takes events from a heap, in the
// order of their time; each operation of a process is a coroutine that yields to
// it in every call of the engine, so that the order of reads, decisions and
// commits of all processes comes from the seed.
package simulation
