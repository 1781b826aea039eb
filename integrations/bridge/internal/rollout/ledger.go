// Package rollout is for tests: it replaces an old fleet by a new one, and goes back, under one old
// lock, and records who works when.
package rollout

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for an event.
const patience = 30 * time.Second

// Ledger records who works. It fails the test if two members work at the same time.
type Ledger struct {
	tb testing.TB

	mu      sync.Mutex
	working map[string]time.Time
	changed chan struct{} // closed at the next change
	last    time.Time     // when the last work ended
	tenures int
}

// NewLedger returns a Ledger in which no one works.
func NewLedger(tb testing.TB) *Ledger {
	return &Ledger{tb: tb, working: map[string]time.Time{}, changed: make(chan struct{})}
}

// Enter records that work of id begins.
func (l *Ledger) Enter(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for other, since := range l.working {
		l.tb.Errorf("%s begins to work while %s has worked for %s and still works", id, other, now.Sub(since))
	}
	if !l.last.IsZero() {
		l.tb.Logf("%s works, %s after the last work", id, now.Sub(l.last).Round(time.Millisecond))
	}
	l.working[id] = now
	l.tenures++
	l.change()
}

// Leave records that work of id has ended.
func (l *Ledger) Leave(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.working, id)
	l.last = time.Now()
	l.change()
}

// count returns how often work has begun.
func (l *Ledger) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tenures
}

func (l *Ledger) change() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Worker waits until one works, and returns its id.
func (l *Ledger) Worker() string {
	l.tb.Helper()
	return l.await("work", func() (string, bool) {
		for id := range l.working {
			return id, true
		}
		return "", false
	})
}

// awaitEnd waits until id does not work.
func (l *Ledger) awaitEnd(id string) {
	l.tb.Helper()
	l.await("the end of the work of "+id, func() (string, bool) {
		_, works := l.working[id]
		return id, !works
	})
}

func (l *Ledger) await(what string, found func() (string, bool)) string {
	l.tb.Helper()
	timeout := time.After(patience)
	for {
		l.mu.Lock()
		id, ok := found()
		changed := l.changed
		l.mu.Unlock()
		if ok {
			return id
		}
		select {
		case <-changed:
		case <-timeout:
			l.tb.Fatalf("timeout: %s", what)
		}
	}
}

// Member is one process of either fleet.
type Member struct {
	ID string
	// Stopped ends when the member is to stop in order.
	Stopped context.Context

	ledger *Ledger
	stop   context.CancelFunc
	killed chan struct{}
	kill   func()        // what ends the process without a farewell, after its work has ended
	ended  chan struct{} // closed when the process has ended
	linger time.Duration
}

// Work is the work of a member that leads. It goes on for a moment after ctx has ended, unless the
// member is killed.
func (m *Member) Work(ctx context.Context) {
	select {
	case <-m.killed:
		return
	default:
	}
	m.ledger.Enter(m.ID)
	defer m.ledger.Leave(m.ID)
	select {
	case <-ctx.Done():
	case <-m.killed:
		return
	}
	select {
	case <-time.After(m.linger):
	case <-m.killed:
	}
}

// Kill ends a process without a farewell.
func (m *Member) Kill() {
	close(m.killed)
	m.ledger.awaitEnd(m.ID)
	m.kill()
	m.Stop()
}

// Stop stops a process in order, and waits until it has ended.
func (m *Member) Stop() {
	m.stop()
	select {
	case <-m.ended:
	case <-time.After(patience):
		m.ledger.tb.Errorf("timeout: the end of %s", m.ID)
	}
}

func (m *Member) String() string { return fmt.Sprintf("process %s", m.ID) }
