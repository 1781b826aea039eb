package belief

import (
	"slices"

	"github.com/fdbelection/fdbelection/kv"
)

// Belief is what a process knows of its attempts to write a lease. It is a value: a slice that
// copies share is never changed in place.
type Belief struct {
	// acked are the deadlines of the attempt that was acknowledged last, and open the later
	// attempts that may have written a lease.
	acked Deadlines
	open  []attempt
}

// attempt is a write of the lease whose commit may have been started.
type attempt struct {
	op        uint64
	count     int
	deadlines Deadlines
}

// Begin returns the belief after the first write was acknowledged.
func Begin(acked Deadlines) Belief { return Belief{acked: acked} }

// Deadlines returns the earliest deadlines of all attempts that may count.
func (b *Belief) Deadlines() Deadlines {
	d := b.acked
	for _, a := range b.open {
		d = d.earlier(a.deadlines)
	}
	return d
}

// Starting counts an attempt before its commit starts, so that a commit whose result is
// unknown cannot leave the deadlines too late. count is its number in the operation op.
func (b *Belief) Starting(op uint64, count int, deadlines Deadlines) {
	b.open = append(slices.Clip(b.open), attempt{op, count, deadlines})
}

// Done handles the result of an attempt. One that has committed replaces the acknowledged
// one. All attempts before it came before it or can never commit, because each of them reads
// the record that it wrote.
func (b *Belief) Done(op uint64, count int, outcome kv.Outcome) {
	i := slices.IndexFunc(b.open, func(a attempt) bool { return a.op == op && a.count == count })
	if i < 0 {
		return
	}
	switch outcome {
	case kv.Committed:
		b.acked, b.open = b.open[i].deadlines, b.open[i+1:]
	case kv.NotCommitted:
		b.open = slices.Delete(slices.Clone(b.open), i, i+1)
	case kv.UnknownResult, kv.Unsettled: // it may have written its lease
	}
}
