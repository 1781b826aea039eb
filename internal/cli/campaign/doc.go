// Package campaign is the loop that a process of the command runs: it
// registers a candidate, campaigns, has the work done while it leads, and
// leaves.
//
// # What it rests on
//
// A leader believes in its seat until the earliest end that any attempt to
// write its lease may have given it: the start of the attempt, read from its
// own monotonic clock before the attempt began, and the lease that the attempt
// writes, less the margin. An attempt counts from before its commit is issued
// until it has surely failed or a later one was acknowledged. Timers of the
// tenure itself end that belief, so a transaction that hangs cannot prolong it.
//
// Before belief ends the work is asked to stop, then ended by force. Nothing
// is claimed again, and no seat is given up, before the work has returned.
//
// A follower takes over a seat only where the very same ballot stood still for
// a whole lease on its own clock, counted from after the read that first saw
// it.
//
// After an attempt that may still arrive (kv.Unsettled) nothing is concluded
// about the seat until a transaction has committed that reads and
// write-conflicts on the leader record.
//
// # How it is built
//
// One goroutine owns the state and never waits for anything but events. One
// operation on the store runs at a time, each with a time limit, in a goroutine
// of its own, and brings back what is to be done with its answer. The timers of
// a tenure belong to the tenure.
package campaign
