package campaign

import (
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli/clock"
)

// Tenure is leadership in one term, as its holder may believe in it. Its work
// gets it, and obeys its two channels.
type Tenure struct {
	token  election.Token
	ballot uint64
	clock  clock.Clock

	mu    sync.Mutex
	acked horizon
	// open holds the horizons of attempts whose fate is not known, or not yet.
	open map[*horizon]struct{}
	// limit ends by force what was asked to stop and is still there; zero: the
	// horizon alone does.
	limit time.Time
	stage stage
	timer clock.Timer
	// reached[s] is closed when stage s is reached.
	reached [over + 1]chan struct{}
}

// stage is how far a tenure has gone; it never goes back.
type stage int

const (
	believing stage = iota
	stopping        // the work is asked to stop
	overdue         // the work is to be ended by force
	over            // nobody here leads in this term any more
)

func newTenure(c clock.Clock, leader election.Leader, acked horizon) *Tenure {
	t := &Tenure{
		token: leader.Token(), ballot: leader.Ballot, clock: c,
		acked: acked, open: make(map[*horizon]struct{}),
	}
	for s := range t.reached {
		t.reached[s] = make(chan struct{})
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.timer = c.AfterFunc(time.Hour, t.tick)
	t.advance()
	return t
}

// Token returns the fencing token of the tenure.
func (t *Tenure) Token() election.Token { return t.token }

// Ballot returns the ballot with which the tenure was acknowledged here first.
func (t *Tenure) Ballot() uint64 { return t.ballot }

// Stopping is closed when the work is to stop.
func (t *Tenure) Stopping() <-chan struct{} { return t.reached[stopping] }

// Overdue is closed when work that is still there is to be ended by force.
func (t *Tenure) Overdue() <-chan struct{} { return t.reached[overdue] }

// Over is closed when belief in the tenure has ended.
func (t *Tenure) Over() <-chan struct{} { return t.reached[over] }

// Leads reports whether this process may believe that it leads. It compares
// the clock at the call: a process that was stopped finds out at once.
func (t *Tenure) Leads() bool { return t.at() < over }

func (t *Tenure) at() stage {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advance()
	return t.stage
}

// attempt counts an attempt whose commit is about to be issued.
func (t *Tenure) attempt(h horizon) *horizon {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open[&h] = struct{}{}
	t.advance()
	return &h
}

// failed drops an attempt that has surely changed nothing.
func (t *Tenure) failed(h *horizon) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, h)
	t.advance()
}

// acknowledged counts an attempt that has committed. All attempts before it
// either came before it or can never arrive, as each reads the record that it
// wrote: their horizons are done with.
func (t *Tenure) acknowledged(h *horizon) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advance() // what came too late does not bring belief back
	t.acked = *h
	clear(t.open)
	t.advance()
}

// stop asks the work to stop, and ends it by force at limit or before.
func (t *Tenure) stop(limit time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.limit.IsZero() || limit.Before(t.limit) {
		t.limit = limit
	}
	t.reach(stopping)
	t.advance()
}

// finish ends belief at once. Without work there is nothing to wait for.
func (t *Tenure) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reach(over)
	t.timer.Stop()
}

func (t *Tenure) tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advance()
}

// horizon is the earliest that any attempt not surely failed leaves.
func (t *Tenure) horizon() horizon {
	h := t.acked
	for o := range t.open {
		h = h.earlier(*o)
	}
	if t.stage >= stopping && !t.limit.IsZero() {
		h.kill = earliest(h.kill, t.limit)
	}
	return h
}

// advance goes as far as the clock says, and sets the timer to the next step.
func (t *Tenure) advance() {
	now := t.clock.Now()
	for t.stage < over {
		h := t.horizon()
		next := [...]time.Time{believing: h.stop, stopping: h.kill, overdue: h.end}[t.stage]
		if wait := next.Sub(now); wait > 0 {
			t.timer.Reset(wait)
			return
		}
		t.reach(t.stage + 1)
	}
	t.timer.Stop()
}

// reach closes the channels up to a stage.
func (t *Tenure) reach(s stage) {
	for t.stage < s {
		t.stage++
		close(t.reached[t.stage])
	}
}
