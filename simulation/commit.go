package simulation

import (
	"bytes"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// checks is what the invariants remember of the commit log.
type checks struct {
	keys     checkedKeys
	shadow   shadow
	state    election.Status // as of the last commit
	holders  map[uint64]election.Token
	configAt int64 // the version at which the config was written or deleted last
	records  map[string]candidateSince
	enlisted map[election.Identity]time.Duration // when each registered last
	excused  map[election.Token]bool             // displaced in a way that belief is not promised for
	pressed  map[election.Token]bool             // challenged by a candidate that has repeated its challenge
	removed  removed

	seatAt     time.Duration // of the last write of the leader record
	seatConfig fdbelection.Config
	tenureAt   time.Duration // of the last change of the tenure
	seated     int32         // the priority of the last holder
	unsettling int           // tenures in the place of one that ranked as high, since it was looked at
	timeout    time.Duration // the shortest candidate timeout so far

	calls []call
}

// candidateSince is a candidate record, when it was written last, and when it was
// registered.
type candidateSince struct {
	election.Candidate
	version    int64
	at         time.Duration
	registered time.Duration
}

func newChecks() checks {
	return checks{
		holders: map[uint64]election.Token{}, records: map[string]candidateSince{},
		enlisted: map[election.Identity]time.Duration{},
		excused:  map[election.Token]bool{}, pressed: map[election.Token]bool{}, removed: newRemoved(),
	}
}

// checkedKeys are the keys of the records.
type checkedKeys struct {
	space                        subspace.Subspace
	config, leader, term, intent []byte
	candidates, rank, history    subspace.Subspace
}

func newCheckedKeys(space subspace.Subspace) checkedKeys {
	return checkedKeys{
		space: space, config: space.Sub("config").Bytes(), leader: space.Sub("leader").Bytes(),
		term: space.Sub("term").Bytes(), intent: space.Sub("intent").Bytes(),
		candidates: space.Sub("candidates"), rank: space.Sub("rank"), history: space.Sub("history"),
	}
}

// commit is one commit of the log, and what it changed.
type commit struct {
	entry         *memkv.LogEntry
	by            *process   // nil: the checker
	op            *operation // nil: no operation of an elector
	before, after election.Status
	// missing says that the leader record was deleted before, and nothing else: before
	// has the one that was deleted.
	missing bool

	config, leader, term, intent, rank, history, fenced bool
	candidates                                          []string // ids of the records that it wrote
	elsewhere                                           []byte   // a key that is none of these
}

// who is the incarnation that committed; zero: an operator.
func (c *commit) who() election.Identity {
	if c.by == nil {
		return election.Identity{}
	}
	return c.by.me.Identity
}

// name is who committed, for a reader.
func (c *commit) name() string { return c.entry.Client + " (" + c.entry.Label + ")" }

// The labels of transactions in which an operator acts by force.
const (
	labelDepose = "operator deposes"
	labelRaise  = "operator raises the term"
	labelDelete = "operator deletes"
)

// forced reports whether an operator did this by force.
func (c *commit) forced(label string) bool {
	return c.by != nil && c.by == c.by.world.operator && c.entry.Label == label
}

// touch notes which records a commit writes.
func (w *World) touch(c *commit) {
	k := &w.keys
	for i := range c.entry.Mutations {
		m := &c.entry.Mutations[i]
		switch {
		case bytes.Equal(m.Key, k.config):
			c.config = true
		case bytes.Equal(m.Key, k.leader):
			c.leader = true
		case bytes.Equal(m.Key, k.term):
			c.term = true
		case bytes.Equal(m.Key, k.intent):
			c.intent = true
		case bytes.Equal(m.Key, w.fencedKey):
			c.fenced = true
		case k.candidates.Contains(m.Key):
			c.candidates = append(c.candidates, w.candidateID(m.Key))
		case k.rank.Contains(m.Key):
			c.rank = true
		case k.history.Contains(m.Key):
			c.history = true
		default:
			c.elsewhere = m.Key
		}
	}
}

func (w *World) candidateID(key []byte) string {
	r := subspace.NewReader(key[len(w.keys.candidates.Bytes()):])
	return r.Text()
}

// committed takes in a commit, in the moment in which it is applied. Whoever
// waits for it is not told yet, and may never be.
func (w *World) committed(e memkv.LogEntry) {
	c := &commit{entry: &e, by: w.clients[e.Client], op: w.operations[e.Label], before: w.state}
	w.mixNumbers(w.tick())
	w.mixBytes([]byte(e.Label))
	for i := range e.Mutations {
		w.mixBytes(e.Mutations[i].Key)
		w.mixBytes(e.Mutations[i].Value)
	}
	w.touch(c)
	w.shadow.apply(&e)
	deletes := c.forced(labelDelete)
	if c.config || c.leader || c.term || c.intent || deletes {
		state, err := w.readState()
		if err != nil {
			w.violated(Transition, "%s leaves a record that cannot be read: %v", c.name(), err)
			return
		}
		w.state = state
	}
	c.after = w.state
	switch {
	case deletes:
		w.deleted(c)
		return
	case w.removed.leader.Ballot > 0:
		c.before.Leader, c.missing = w.removed.leader, true
		if !c.leader {
			c.after.Leader = w.removed.leader
		}
	}
	w.checkCommit(c)
	w.noteCommit(c)
	if w.tracing {
		w.traceCommit(c)
	}
}

// checkCommit is every check of the commit log.
func (w *World) checkCommit(c *commit) {
	w.checkOwner(c)
	w.checkWrites(c)
	w.checkBounds(c)
	w.checkFence(c)
	w.checkIntent(c)
	w.checkLanding(c)
	w.checkCandidates(c)
	w.checkAuthor(c)
	if !c.leader {
		if c.term || c.after.Term != c.before.Term {
			w.violated(Transition, "%s wrote the term record and not the leader record", c.name())
		}
		return
	}
	if c.forced(labelRaise) {
		w.checkRaised(c)
		return
	}
	w.checkBallot(c)
	w.checkHolders(c)
	w.checkTransition(c)
	w.checkOneConfig(c)
}

// noteCommit remembers what later checks need.
func (w *World) noteCommit(c *commit) {
	if c.config {
		w.configAt = c.entry.Version
		if t := c.after.Config.CandidateTimeout; w.timeout == 0 || t < w.timeout {
			w.timeout = t
		}
		if l := c.before.Config.LeaseDuration; c.after.Config.LeaseDuration < l && !c.after.Leader.Vacant() {
			w.situation("lease shortened under a leader")
		}
	}
	if op := c.op; op != nil {
		op.commits++
		for _, id := range c.candidates {
			op.wrote = op.wrote || id == op.what.Me.ID
		}
		if c.leader {
			op.seats = append(op.seats, c.after.Leader)
		}
	}
	if !c.leader {
		return
	}
	w.removed.leader = election.LeaderRecord{}
	delete(w.removed.standIns, c.after.Leader.Ballot)
	w.opens(c)
	w.seatAt, w.seatConfig = w.now, c.after.Config
	if c.after.Leader.Token() != c.before.Leader.Token() || c.after.Leader.Vacant() != c.before.Leader.Vacant() {
		w.tenureAt = w.now
	}
	if after := &c.after.Leader; !after.Vacant() {
		if after.Token() != c.before.Leader.Token() && after.Priority <= w.seated {
			w.unsettling++
		}
		w.seated = after.Priority
	}
	w.noteCall(c)
	w.noteSituations(c)
	if c.by != nil {
		c.by.wrote = c.after.Leader
		w.checkBeliefBound(c.by)
	}
}

func (w *World) noteSituations(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	changed := after.Token() != before.Token()
	switch {
	case c.entry.Late && changed && !after.Vacant():
		w.situation("late claim applied")
	case c.entry.Late && !changed && !after.Vacant():
		w.situation("late renewal applied")
	case changed && after.AcquireReason == election.AcquireReclaim:
		w.situation("seat reclaimed")
	case changed && after.AcquireReason == election.AcquireTransfer:
		w.situation("transfer on request")
	case changed && after.AcquireReason == election.AcquirePreemption && after.Accepted:
		w.situation("preemption at once")
	case changed && after.AcquireReason == election.AcquirePreemption:
		w.situation("preemption with grace")
	case changed && after.AcquireReason == election.AcquireExpiry && !before.Accepted:
		w.situation("successor never accepted")
	}
	if changed && !after.Vacant() && after.AcquireReason == election.AcquireExpiry {
		for _, p := range w.live {
			if p.me.Identity != before.Identity {
				continue
			}
			switch {
			case p.deafUntil > w.now || p.blindUntil > w.now:
				w.situation("leader replaced while cut off")
			case p.pausedUntil > w.now:
				w.situation("leader replaced while paused")
			}
		}
	}
}

func (w *World) traceCommit(c *commit) {
	if !c.leader {
		if c.intent || c.config {
			w.trace(nil, "%s: %s; config %d", c.name(), c.after.Request, c.after.Config.Revision)
		}
		return
	}
	late := ""
	if c.entry.Late {
		late = ", late"
	}
	w.trace(nil, "%s wrote %s (%s, accepted %v, lease %s%s)", c.name(), c.after.Leader, c.after.Leader.AcquireReason,
		c.after.Leader.Accepted, c.after.Leader.LeaseDuration, late)
}
