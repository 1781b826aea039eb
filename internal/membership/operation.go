package membership

import (
	"strconv"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
)

// Kind is a kind of operation.
type Kind int

const (
	// Join begins a session.
	Join Kind = iota + 1
	// Heartbeat renews the session.
	Heartbeat
	// LeaveGroup ends sessions.
	LeaveGroup
	// Scan reads a page of the records.
	Scan
	// Follow reads the log of changes, and arms the watch of the bell if Arm is set.
	Follow
	// Look reads heartbeats.
	Look
	// Update writes the member record.
	Update
	// Release ends tenures.
	Release
	// Evict ends the session of another member.
	Evict
	// Claim begins tenures.
	Claim
	// Remove removes free shards that an operator wants removed.
	Remove
	// Trim removes old entries of the log.
	Trim
)

var kindNames = [...]string{
	Join: "join", Heartbeat: "heartbeat", LeaveGroup: "leave", Scan: "scan", Follow: "follow the log", Look: "read heartbeats",
	Update: "update the member", Release: "release", Evict: "evict", Claim: "claim", Remove: "remove", Trim: "trim the log",
}

// String returns what the operation does.
func (k Kind) String() string {
	if k > 0 && int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// Operation is one or more transactions.
type Operation struct {
	ID    uint64
	Kind  Kind
	Limit time.Duration // how long it may take
	Me    election.Identity

	Joining  group.Joining       // of Join; the executor draws the incarnation of each attempt
	Least    uint64              // of Heartbeat: the counter that was acknowledged last
	Mirror   int64               // of Heartbeat
	From     group.Position      // of Scan
	Rows     int                 // of Scan and Follow: the most rows
	After    int64               // of Follow
	Arm      bool                // of Follow
	IDs      []string            // of Look; nil: all
	Member   group.Member        // of Update
	Releases []group.Release     // of Release
	Claims   []group.Claim       // of Claim
	Names    []string            // of Remove
	Seen     group.Beat          // of Evict
	NotAfter time.Time           // of Evict: it does nothing if its reads return later
	UpTo     int64               // of Trim
	Sessions []election.Identity // of LeaveGroup
}

// Answer is what an operation has read and written.
type Answer struct {
	Err error
	// Start is when the last attempt began, and Seen when its reads had returned.
	Start, Seen time.Time
	// Version is the commit version, or 0 if it is not known.
	Version int64

	Beat   group.Beat // of Join and Heartbeat; with ErrDuplicateID that of the other session
	Page   group.Page
	Log    group.Changes
	Armed  bool // the watch of a Follow is armed
	Beats  []group.Beat
	Config *group.Config // that was read; nil: none
	// Outcomes are those of the first shards of a Release, Claim or Remove. Those of the others
	// are missing: they are asked for again.
	Outcomes []group.Outcome
	Evicted  bool
}

// slot is room for one operation at a time.
type slot struct {
	id      uint64 // zero: none
	what    Operation
	aborted bool // it was cancelled, and its answer has not come
}

func (r *slot) busy() bool { return r.id != 0 }

// slots are the operations that may run at the same time.
type slots struct {
	session slot // joins, sends heartbeats, leaves
	sync    slot // scans and follows
	watch   slot // waits for an armed watch
	look    slot
	give    slot // updates, releases
	take    slot // evicts, claims, removes, trims
	lastID  uint64
}

// begin starts an operation.
func (m *Machine) begin(r *slot, op Operation) {
	m.slots.lastID++
	op.ID, op.Me = m.slots.lastID, m.me()
	if op.Limit == 0 {
		op.Limit = m.operationLimit()
	}
	*r = slot{id: op.ID, what: op}
	m.do(StartOperation{op})
}

// cancel cancels an operation.
func (m *Machine) cancel(r *slot) {
	if r.busy() && !r.aborted {
		r.aborted = true
		m.do(CancelOperation{Op: r.id})
	}
}

// answered handles the answer of an operation.
func (m *Machine) answered(id uint64, a *Answer) {
	s := &m.slots
	for _, r := range []*slot{&s.session, &s.sync, &s.look, &s.give, &s.take} {
		if r.id != id {
			continue
		}
		op, aborted := r.what, r.aborted
		*r = slot{}
		if a.Config != nil && !m.output.config {
			m.config = *a.Config
		}
		m.completed(&op, a, aborted)
		return
	}
}

// completed handles the end of an operation.
func (m *Machine) completed(op *Operation, a *Answer, aborted bool) {
	if a.Err == nil {
		m.operationSucceeded(op.Kind)
	}
	switch op.Kind {
	case Join:
		m.answeredJoin(op, a)
	case Heartbeat:
		m.answeredHeartbeat(op, a, aborted)
	case LeaveGroup:
		m.answeredLeave(a)
	case Scan, Follow:
		m.answeredSync(op, a, aborted)
	case Look:
		m.answeredLook(op, a)
	case Update:
		m.answeredUpdate(op, a)
	case Release:
		m.answeredRelease(op, a)
	case Evict:
		m.answeredEvict(op, a)
	case Claim, Remove:
		m.answeredClaim(op, a)
	case Trim:
		if a.Err != nil {
			m.failed(op, a.Err)
		}
	}
}
