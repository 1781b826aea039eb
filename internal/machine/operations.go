package machine

import "time"

// runningOperation is a place for one operation at a time.
type runningOperation struct {
	op      uint64 // 0: none
	what    Operation
	began   time.Time
	aborted bool
}

func (s *runningOperation) busy() bool { return s.op != 0 }

// begin starts an operation.
func (m *Machine) begin(s *runningOperation, op Operation) {
	m.nextOp++
	op.ID, op.Me, op.Observation, op.LeaderKnown = m.nextOp, m.me, m.leader.seen, m.leader.looked
	if op.Known.Term == 0 {
		op.Known = m.known()
	}
	op.Limit = max(op.Limit, time.Millisecond)
	if s == &m.main && op.Kind != Heartbeat && op.Kind != Register && op.Kind != Rejoin {
		m.readNow = false // it reads the seat
	}
	*s = runningOperation{op: op.ID, what: op, began: m.now.Local}
	m.do(StartOperation{op})
}

// watch is a watch that is kept armed.
type watch struct {
	runningOperation
	armed bool
	due   time.Time // not armed again before
	spent time.Time // how far the rate of arming is used up
	// backoff is the wait after the last failure of an armed watch.
	backoff time.Duration
}

// longestRearm bounds the back-off of a watch that fails after it was armed.
const longestRearm = 5 * time.Minute

// planWatches keeps the watch of the tenure armed, and while the process leads
// the one of the intents. A watch that fails, or fires all the time, is armed
// again at a limited rate; a timer stands beside it anyway.
func (m *Machine) planWatches() {
	known := m.registered || m.aim == SubscribeOnly
	m.planWatch(&m.term, WatchTerm, m.phase == running && known)
	m.planWatch(&m.intents, WatchRequest, m.leads())
}

func (m *Machine) planWatch(w *watch, kind Kind, wanted bool) {
	switch {
	case !wanted && w.busy() && !w.aborted:
		w.aborted = true
		m.do(CancelOperation{Op: w.op})
	case !wanted || w.busy():
	case m.now.Local.Before(w.due):
		m.at(w.due)
	default:
		w.armed = false
		// Once per step on the long run, and two at once: where a seat is given up and
		// taken, one change follows on the other.
		w.due = latest(w.spent, m.now.Local)
		w.spent = w.due.Add(step(m.config.HeartbeatInterval))
		m.begin(&w.runningOperation, Operation{Kind: kind, Limit: m.patience()})
	}
}

// arming reports whether the watch is about to tell the seat anyway.
func (w *watch) arming() bool { return w.busy() && !w.armed && !w.aborted }

// answeredWatch takes in that a watch is armed, and what was read with it: what
// came before does not fire it.
func (m *Machine) answeredWatch(w *watch, a *Answer) {
	aborted := w.aborted
	m.notice(a)
	if a.Err != nil {
		kind := w.what.Kind
		w.runningOperation = runningOperation{}
		if !aborted {
			m.readNow = m.readNow || w == &m.term
			w.due = m.now.Local.Add(m.config.HeartbeatInterval)
			m.reportFailure(kind, a.Err)
		}
		return
	}
	w.armed = true
	if aborted {
		return
	}
	if w.backoff == 0 {
		m.reportedErrors[w.what.Kind] = ""
	}
	if w == &m.term {
		m.readNow = false
	}
	m.sawState(&w.what, a)
}

// fired takes in the end of a watch. Where it can be armed again at once, that
// reads what has changed; else something else has to.
func (m *Machine) fired(e WatchEnded) {
	for _, w := range []*watch{&m.term, &m.intents} {
		if w.op != e.Op {
			continue
		}
		aborted, kind := w.aborted, w.what.Kind
		if e.Err == nil || m.now.Local.Sub(w.began) >= longestRearm { // the next failure begins another row
			w.backoff, m.reportedErrors[kind] = 0, ""
		}
		w.runningOperation = runningOperation{}
		if w == &m.term && e.Err == nil && !aborted && !m.now.Local.Before(w.due) { // else it fires too often to be trusted
			m.termChanged = true
		}
		switch {
		case aborted:
		case e.Err != nil: // it may have missed something
			m.readNow = m.readNow || w == &m.term
			m.rearmLater(w)
			m.reportFailure(kind, e.Err)
		case m.now.Local.Before(w.due): // a read, no write: it may fire for no reason
			m.readNow = true
		}
	}
}

// rearmLater backs off after an armed watch has failed, for example because too many
// watches are outstanding: for a heartbeat, and twice as long after each failure in a
// row. The timer tells of changes meanwhile.
func (m *Machine) rearmLater(w *watch) {
	shortest := m.config.HeartbeatInterval
	w.backoff = min(max(2*w.backoff, shortest), max(longestRearm, shortest))
	w.due = m.now.Local.Add(w.backoff)
}
