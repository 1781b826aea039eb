// Package machine is the loop of a contender as a pure function: from a
// machine, an event and the time it makes the next machine and what is to be
// done. It does no I/O, starts nothing and asks no clock, so that a simulation
// drives exactly what a process runs, and a test can put it into any situation.
//
// Package elector is the driver around it for real processes. package executor
// carries out the operations that it asks for.
//
// # What it decides
//
// A machine has at most two operations under way: one about the seat (register,
// look, cycle, settle, hand over, leave) and one chore (list, evict); beside
// them it keeps the watches armed. Every change of what it knows comes in as an
// event, and after each event it plans anew. Nothing is concluded from an
// operation that has not been answered.
//
// # Belief
//
// A tenure is believed in until its horizon: the earliest, over the attempt
// that was acknowledged last and every later attempt not surely failed, of the
// start of the attempt plus the lease that it writes less the margin. The
// driver tells of an attempt before its commit is issued (Issuing), so belief
// shrinks first. See Horizon.
//
// # Where it comes from
//
// Trust that counts from the start of the attempt, and resignation scoped to a
// term, are also in River's leadership package; leases judged by the observer's
// own clock in Kubernetes' leaderelection, and in Lamport's and Gray and
// Cheriton's work on leases before that.
package machine
