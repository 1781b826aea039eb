package election

// NoPreempt has the cycle neither challenge a leader nor preempt it, whatever the
// priorities are. It claims a vacant seat, or one whose lease is over, and renews its
// own tenure as usual: for a candidate that has not been alive for long enough, see
// fdbelection.Config.PreemptDelay. A challenge of this candidate that still stands is
// withdrawn.
func NoPreempt() CycleOption {
	return func(c *cycleOptions) { c.noPreempt = true }
}
