package member

import (
	"sync"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// Deadlines are the instants at which all tenures of a session end, unless another heartbeat is
// acknowledged. They are on Options.Clock. Drains may end a tenure earlier.
type Deadlines struct {
	Session election.Identity
	elector.Deadlines
}

// deadlines are those that the subscribers have got.
type deadlines struct {
	mu          sync.Mutex
	last        Deadlines
	subscribers map[*func(Deadlines)]struct{}
}

// SubscribeDeadlines calls f with the deadlines of the session, at once if there is one and after
// each change, in order and one call at a time, until unsubscribe is called. It works beyond the
// runs of the member. It is for a guard outside this process that enforces the deadlines, as
// elector.Leadership.SubscribeDeadlines is.
//
// f gets the deadlines of a session before the first shard is led in it, and an earlier deadline
// before the write that shortens the lease is committed. The loop itself calls f: f must not block,
// and must not call the Member or a Shard.
func (m *Member) SubscribeDeadlines(f func(Deadlines)) (unsubscribe func()) {
	d := &m.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.subscribers == nil {
		d.subscribers = make(map[*func(Deadlines)]struct{})
	}
	d.subscribers[&f] = struct{}{}
	if !d.last.Stop.IsZero() {
		f(d.last)
	}
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.subscribers, &f)
	}
}

// send calls the subscribers if the deadlines have changed.
func (d *deadlines) send(now Deadlines) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if now == d.last {
		return
	}
	d.last = now
	if now.Stop.IsZero() { // the session is over
		return
	}
	for f := range d.subscribers {
		(*f)(now)
	}
}
