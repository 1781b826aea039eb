package simulation

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// checks is what the invariants remember of the commit log.
type checks struct {
	keys           checkedKeys
	shadow         shadow
	state          election.Status // as of the last commit
	holders        map[uint64]election.Token
	configAt       int64 // the version at which the config was last written or deleted
	records        map[string]candidateSince
	registeredAt   map[election.Identity]time.Duration // when each incarnation last registered
	overlapAllowed map[election.Token]bool             // tenures that another one may overlap: see checkExclusion
	repeated       map[election.Token]bool             // tenures whose challenger has repeated its request
	deleted        deletions

	leaderTouched   int64                      // the version of the last commit that wrote or settled the leader record
	leaderWritten   int64                      // the version at which the leader record was last written
	leaderAt        time.Duration              // when the leader record was last written
	writtenAt       map[ballotOf]time.Duration // when each ballot was last written
	leaderConfig    fdbelection.Config
	tenureAt        time.Duration // when the tenure last changed
	lastPriority    int32         // the priority of the last holder
	needlessTenures int           // tenures that replaced one of the same or a higher rank, since the count was reset
	timeout         time.Duration // the shortest candidate timeout so far

	calls []call
}

// ballotOf names a ballot of one tenure. The database may be restored, and repeat a ballot.
type ballotOf struct {
	ballot uint64
	nonce  uuid.UUID
}

// candidateSince is a candidate record, with the times of its last write and of the
// registration.
type candidateSince struct {
	election.Candidate
	version    int64
	at         time.Duration
	registered time.Duration
}

func newChecks() checks {
	return checks{
		holders: map[uint64]election.Token{}, records: map[string]candidateSince{},
		registeredAt:   map[election.Identity]time.Duration{},
		writtenAt:      map[ballotOf]time.Duration{},
		overlapAllowed: map[election.Token]bool{}, repeated: map[election.Token]bool{}, deleted: newDeletions(),
	}
}

// checkedKeys are the keys of the records.
type checkedKeys struct {
	space                          subspace.Subspace
	config, leader, term, request  []byte
	candidates, rank, history      subspace.Subspace
	leaderNotice, candidatesNotice []byte
}

func newCheckedKeys(space subspace.Subspace) checkedKeys {
	notice := func(kind int64) []byte { return subspace.AppendInt(space.Sub("notice").Bytes(), kind) }
	return checkedKeys{
		space: space, config: space.Sub("config").Bytes(), leader: space.Sub("leader").Bytes(),
		term: space.Sub("term").Bytes(), request: space.Sub("intent").Bytes(),
		candidates: space.Sub("candidates"), rank: space.Sub("rank"), history: space.Sub("history"),
		leaderNotice: notice(0), candidatesNotice: notice(1),
	}
}

// commit is one commit of the log, and what it changed.
type commit struct {
	entry         *memkv.LogEntry
	by            *process   // nil: the simulator itself
	op            *operation // nil: not an operation of an elector
	before, after election.Status
	// missing says that the leader record was deleted and has not been written since. before
	// has the deleted record then.
	missing bool

	config, leader, term, request, rank, history, fenced bool
	candidates                                           []string // ids of the candidate records that it wrote
	leaderNotice, candidatesNotice                       bool
	noticesBefore                                        [2][]byte
	elsewhere                                            []byte // a key that belongs to no record
}

// who is the incarnation that committed. It is zero for an operator.
func (c *commit) who() election.Identity {
	if c.by == nil {
		return election.Identity{}
	}
	return c.by.me.Identity
}

// name is the client and the label, for messages.
func (c *commit) name() string { return c.entry.Client + " (" + c.entry.Label + ")" }

// The labels of transactions in which an operator acts without the leader's consent.
const (
	labelForceResign = "operator forces to resign"
	labelRaiseTerm   = "operator raises the term"
	labelDelete      = "operator deletes"
)

// forced reports whether it is a transaction of an operator with one of these labels.
func (c *commit) forced(label string) bool {
	return c.by != nil && c.by == c.by.world.operator && strings.HasPrefix(c.entry.Label, label)
}

// raiseLabel is the label of a transaction that raises the term to a floor.
func raiseLabel(floor uint64) string { return labelRaiseTerm + " to " + strconv.FormatUint(floor, 10) }

// raiseFloor is the floor in the label of a transaction that raises the term.
func (c *commit) raiseFloor() uint64 {
	floor, _ := strconv.ParseUint(strings.TrimPrefix(c.entry.Label, labelRaiseTerm+" to "), 10, 64)
	return floor
}

// noteWrites notes which records a commit writes.
func (w *world) noteWrites(c *commit) {
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
		case bytes.Equal(m.Key, k.request):
			c.request = true
		case bytes.Equal(m.Key, k.leaderNotice):
			c.leaderNotice = true
		case bytes.Equal(m.Key, k.candidatesNotice):
			c.candidatesNotice = true
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

func (w *world) candidateID(key []byte) string {
	r := subspace.NewReader(key[len(w.keys.candidates.Bytes()):])
	return r.Text()
}

// committed handles a commit at the moment it is applied. Its caller gets the answer
// later, or never.
func (w *world) committed(e memkv.LogEntry) {
	c := &commit{entry: &e, by: w.clients[e.Client], op: w.operations[e.Label], before: w.state}
	w.mixNumbers(w.tick())
	w.mixBytes([]byte(e.Label))
	for i := range e.Mutations {
		w.mixBytes(e.Mutations[i].Key)
		w.mixBytes(e.Mutations[i].Value)
	}
	w.noteWrites(c)
	for i, key := range [][]byte{w.keys.leaderNotice, w.keys.candidatesNotice} {
		c.noticesBefore[i], _ = w.shadow.Get(key).Get()
	}
	w.shadow.apply(&e)
	deletes := c.forced(labelDelete)
	if c.config || c.leader || c.term || c.request || deletes {
		state, err := w.readState()
		if err != nil {
			w.violated(invTransition, "%s leaves a record that cannot be read: %v", c.name(), err)
			return
		}
		w.state = state
	}
	c.after = w.state
	switch {
	case deletes:
		w.noteDeletion(c)
		return
	case w.deleted.leader.Ballot > 0:
		c.before.Leader, c.missing = w.deleted.leader, true
		if !c.leader {
			c.after.Leader = w.deleted.leader
		}
	}
	w.checkCommit(c)
	w.noteCommit(c)
	if w.tracing {
		w.traceCommit(c)
	}
}

// checkCommit runs every check of the commit log.
func (w *world) checkCommit(c *commit) {
	w.checkNotices(c)
	w.checkOwner(c)
	w.checkWrites(c)
	w.checkBounds(c)
	w.checkFence(c)
	w.checkRequest(c)
	w.checkLanding(c)
	w.checkSettled(c)
	w.checkCandidates(c)
	w.checkAuthor(c)
	if !c.leader {
		if c.term || c.after.Term != c.before.Term {
			w.violated(invTransition, "%s wrote the term record without the leader record", c.name())
		}
		return
	}
	if c.forced(labelRaiseTerm) {
		w.checkRaised(c)
		return
	}
	w.checkBallot(c)
	w.checkHolders(c)
	w.checkTransition(c)
	w.checkSuccession(c)
	w.checkOneConfig(c)
}

// noteCommit remembers what later checks need.
func (w *world) noteCommit(c *commit) {
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
			op.leaders = append(op.leaders, c.after.Leader)
		}
	}
	if !c.leader {
		return
	}
	w.deleted.leader = election.LeaderRecord{}
	delete(w.deleted.restoredBallots, c.after.Leader.Ballot)
	w.noteEraStart(c)
	w.leaderAt, w.leaderConfig = w.now, c.after.Config
	w.writtenAt[ballotOf{c.after.Leader.Ballot, c.after.Leader.Nonce}] = w.now
	if c.after.Leader.Token() != c.before.Leader.Token() || c.after.Leader.Vacant() != c.before.Leader.Vacant() {
		w.tenureAt = w.now
	}
	if after := &c.after.Leader; !after.Vacant() {
		if after.Token() != c.before.Leader.Token() && after.Priority <= w.lastPriority {
			w.needlessTenures++
		}
		w.lastPriority = after.Priority
	}
	w.noteCall(c)
	w.noteSituations(c)
	if c.by != nil {
		c.by.lastWritten = c.after.Leader
		w.checkDeadlineBound(c.by)
	}
}

func (w *world) noteSituations(c *commit) {
	before, after := &c.before.Leader, &c.after.Leader
	changed := after.Token() != before.Token()
	switch {
	case c.entry.Late && changed && !after.Vacant():
		w.situation("late claim applied")
	case c.entry.Late && !changed && !after.Vacant():
		w.situation("late renewal applied")
	case changed && after.AcquireReason == election.AcquireReclaim:
		w.situation("leadership reclaimed")
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
			case p.requestsHeldUntil > w.now || p.repliesHeldUntil > w.now:
				w.situation("leader replaced while cut off")
			case p.pausedUntil > w.now:
				w.situation("leader replaced while paused")
			}
		}
	}
}

func (w *world) traceCommit(c *commit) {
	if !c.leader {
		if c.request || c.config {
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
