package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// watches are the watch of the leader notice, the watch of the request while the process
// leads, and the watch of the candidates notice if the process follows the candidates. They
// only save time: polling, lists and renewals find the same changes later.
type watches struct {
	term, request, candidates watch
}

// watch is a watch that is armed again whenever it ends.
type watch struct {
	runningOperation
	armed bool
	due   time.Time // it is not armed again before
	// spent bounds how often it is armed: each time adds one step to it.
	spent time.Time
	// backoff is the wait after the last failure of an armed watch.
	backoff time.Duration
}

// longestRearm bounds the back-off of a watch that fails after it was armed.
const longestRearm = 5 * time.Minute

// planWatches keeps the watches armed.
func (m *Machine) planWatches() {
	mayExist := m.me.registered || m.me.aim == SubscribeOnly // the election
	m.planWatch(&m.watches.term, WatchTerm, m.life.phase == running && mayExist)
	m.planWatch(&m.watches.request, WatchRequest, m.tenure.leads())
	m.planWatch(&m.watches.candidates, WatchCandidates, m.settings.FollowCandidates && m.config.read && !m.life.leaving())
}

func (m *Machine) planWatch(w *watch, kind Kind, wanted bool) {
	switch {
	case !wanted && w.busy() && !w.aborted:
		w.aborted = true
		m.do(CancelOperation{Op: w.id})
	case !wanted || w.busy():
	case m.now.Local.Before(w.due):
		m.wakeAt(w.due)
	default:
		w.armed = false
		// At most once per step on average, and two at once: a hand-over is often
		// followed by a claim.
		w.due = clock.Latest(w.spent, m.now.Local)
		w.spent = w.due.Add(pollStep(m.config.HeartbeatInterval))
		m.begin(&w.runningOperation, Operation{Kind: kind, Limit: m.operationLimit()})
	}
}

// arming reports whether the watch will soon be armed, which reads the leadership.
func (w *watch) arming() bool { return w.busy() && !w.armed && !w.aborted }

// answeredWatch handles that a watch is armed or could not be armed, and what was read
// with it.
func (m *Machine) answeredWatch(w *watch, a *Answer) {
	aborted := w.aborted
	m.noticeMissing(a)
	if a.Err != nil {
		kind := w.what.Kind
		w.runningOperation = runningOperation{}
		if !aborted {
			m.poll.readNow = m.poll.readNow || w == &m.watches.term
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
		m.store.failures[w.what.Kind] = ""
	}
	switch w {
	case &m.watches.candidates:
		m.sawCandidates(w.what, a)
		m.candidates.armedAt = m.now.Local
		return
	case &m.watches.term:
		m.poll.readNow = false
	default:
	}
	m.sawStatus(w.what, a)
}

// watchEnded handles that an armed watch has fired or failed.
func (m *Machine) watchEnded(e WatchEnded) {
	for _, w := range []*watch{&m.watches.term, &m.watches.request, &m.watches.candidates} {
		if !w.busy() || w.id != e.Op {
			continue
		}
		aborted, kind := w.aborted, w.what.Kind
		if e.Err == nil || m.now.Local.Sub(w.began) >= longestRearm { // the next failure is the first of a row
			w.backoff, m.store.failures[kind] = 0, ""
		}
		w.runningOperation = runningOperation{}
		tooSoon := m.now.Local.Before(w.due)
		switch {
		case aborted:
		case e.Err != nil: // it may have missed a change
			m.poll.readNow = m.poll.readNow || w == &m.watches.term
			if w == &m.watches.candidates {
				m.candidates.due = m.now.Local
			}
			m.rearmLater(w)
			m.reportFailure(kind, e.Err)
		case w == &m.watches.candidates: // it lists when it is armed again
		case tooSoon: // it cannot be armed at once: read instead
			m.poll.readNow = true
		case w == &m.watches.term: // a watch that fires too often does not count: it may fire without a change
			m.claim.termChanged = true
		}
	}
}

// rearmLater backs off after an armed watch has failed, for example because too many
// watches exist. The wait is a heartbeat, and twice as long after each failure in a row.
func (m *Machine) rearmLater(w *watch) {
	shortest := m.config.HeartbeatInterval
	w.backoff = min(max(2*w.backoff, shortest), max(longestRearm, shortest))
	w.due = m.now.Local.Add(w.backoff)
}
