package simulation

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// This file is the fault Delete: an operator removes records of the election with a
// tool that knows nothing of the protocol.

// victim is what a deletion removes.
type victim int

const (
	everything victim = iota
	theConfig
	theLeader
	theTerm
	theIntent
	aCandidate
	aRankEntry
	anEvent
	victims
)

// String returns what is removed, in words.
func (v victim) String() string {
	return [...]string{
		"the whole election", "the config", "the leader record", "the term record", "the intent", "a candidate record",
		"a rank entry", "a history entry",
	}[v]
}

// deleteRecords has an operator delete something.
func (w *World) deleteRecords() {
	what, which := victim(w.pick(Delete, int(victims))), w.pick(Delete, 1<<16)
	w.operator.start(labelDelete, func(t *task) {
		err := w.operator.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
			if w.quiet > 0 {
				return errCancelled
			}
			return w.deletes(tr, what, which)
		})
		if w.tracing {
			w.trace(nil, "operator: delete %s: %v", what, err)
		}
	})
}

// deletes removes a record, without reading anything that its removal could
// conflict on. Of several of a kind it takes one by number.
func (w *World) deletes(tr kv.Transaction, what victim, which int) error {
	k := &w.keys
	var among subspace.Subspace
	switch what {
	case everything:
		begin, end := k.space.Range()
		tr.ClearRange(begin, end)
		return nil
	case theConfig:
		tr.Clear(k.config)
		return nil
	case theLeader:
		tr.Clear(k.leader)
		return nil
	case theTerm:
		tr.Clear(k.term)
		return nil
	case theIntent:
		tr.Clear(k.intent)
		return nil
	case aCandidate:
		among = k.candidates
	case aRankEntry:
		among = k.rank
	default:
		among = k.history
	}
	begin, end := among.Range()
	rows, err := tr.Snapshot().GetRange(begin, end, kv.RangeOptions{}).Get()
	if err != nil || len(rows) == 0 {
		return err
	}
	tr.Clear(rows[which%len(rows)].Key)
	return nil
}

// removed is what the checks remember of deletions.
type removed struct {
	// era counts the elections of this subspace: the next one begins when neither the
	// leader record nor the term record is left. Terms and ballots begin again then.
	era int
	// eras has the era of each tenure, by its nonce.
	eras map[[16]byte]int
	// openers has, for each era, the eras of which its first leader had seen a ballot and
	// had not waited for a lease since it saw that the election was gone.
	openers map[int][]int
	// leader is the leader record that was deleted in this era, while no other one
	// has been written.
	leader election.LeaderRecord
	// leaders counts the deletions of the leader record, and leaderAt is the version
	// of the last one.
	leaders  int
	leaderAt int64
	// extra are the rank entries whose candidates were deleted, missing the voters
	// whose rank entries were. orphans are the intents whose author or target was.
	extra, missing map[election.RankEntry]bool
	// standIns are the ballots that a transaction goes on from where the leader record
	// is gone. None of them is written, unless an election that begins again comes by it.
	standIns map[uint64]bool
	orphans  map[[16]byte]bool
	config   []byte // the last config that stood
}

func newRemoved() removed {
	return removed{
		eras: map[[16]byte]int{}, openers: map[int][]int{}, extra: map[election.RankEntry]bool{},
		missing: map[election.RankEntry]bool{}, orphans: map[[16]byte]bool{}, standIns: map[uint64]bool{},
	}
}

// copied shares nothing with r that a later deletion changes.
func (r removed) copied() removed {
	r.eras, r.openers = maps.Clone(r.eras), maps.Clone(r.openers)
	r.standIns = maps.Clone(r.standIns)
	r.extra, r.missing, r.orphans = maps.Clone(r.extra), maps.Clone(r.missing), maps.Clone(r.orphans)
	return r
}

// withoutConfig is the shadow with a config, if there is none.
type withoutConfig struct {
	*shadow
	key, value []byte
}

func (s withoutConfig) Get(key []byte) kv.Future[[]byte] {
	if bytes.Equal(key, s.key) {
		return ready[[]byte]{s.value}
	}
	return s.shadow.Get(key)
}

var _ kv.ReadTransaction = withoutConfig{}

func (s withoutConfig) Snapshot() kv.ReadTransaction { return s }

// readState reads the state from the shadow, also without a config, and with no
// leader where the record is gone.
func (w *World) readState() (election.Status, error) {
	state, err := w.readStored()
	if _, stands := w.shadow.find(w.keys.leader); !stands {
		state.Leader = election.LeaderRecord{}
	}
	return state, err
}

func (w *World) readStored() (election.Status, error) {
	state, err := w.election.ReadStatus(&w.shadow)
	switch {
	case err == nil:
		at, _ := w.shadow.find(w.keys.config)
		w.removed.config = w.shadow.rows[at].Value
		return state, nil
	case !errors.Is(err, fdbelection.ErrNotInitialized):
		return state, err
	case w.removed.config == nil:
		return state, nil
	}
	state, err = w.election.ReadStatus(withoutConfig{&w.shadow, w.keys.config, w.removed.config})
	state.Config = fdbelection.Config{}
	return state, err
}

// ballotGap is how far above the ballot of the term record a lost leader record comes
// back.
const ballotGap = 1 << 40

// deleted takes in a deletion: what it removed is no longer expected to stand.
func (w *World) deleted(c *commit) {
	r := &w.removed
	before := c.before
	if before.Config.Revision != 0 && c.after.Config.Revision == 0 {
		w.configAt = c.entry.Version
	}
	if before.Leader.Ballot > 0 && c.after.Leader.Ballot == 0 {
		r.leader, r.leaders, r.leaderAt = before.Leader, r.leaders+1, c.entry.Version
		r.standIns[max(c.after.Term.Ballot, c.after.Term.Term)+ballotGap] = true
		w.noteDeletedSeat()
		w.situation("leader record deleted")
	}
	gone := c.after.Leader.Ballot == 0 && c.after.Term == election.TermRecord{}
	if gone && (before.Leader.Ballot > 0 || before.Term != election.TermRecord{}) {
		w.situation("election deleted")
		r.era++
		r.leader = election.LeaderRecord{}
		w.holders = map[uint64]election.Token{}
		w.sink = sink{senders: map[uint64]election.Token{}} // a receiver cannot tell the terms apart
	}
	for id := range w.records {
		if _, err := w.election.GetCandidate(&w.shadow, id); err != nil {
			delete(w.records, id)
			w.forgetNotes(id)
		}
	}
	if intent := &c.after.Request; intent.ID != "" && w.records[intent.ID].Identity != intent.Identity {
		r.orphans[intent.Nonce] = true
	}
	voters, ranked := w.ranks(c)
	for _, entry := range ranked {
		r.extra[entry] = r.extra[entry] || !slices.Contains(voters, entry)
	}
	for _, entry := range voters {
		r.missing[entry] = r.missing[entry] || !slices.Contains(ranked, entry)
	}
}

// deletedUnder reports whether the election of one tenure was deleted and another
// one was begun in its place by a process that could not know: it had seen no ballot
// of the first.
func (w *World) deletedUnder(old, other election.Token) bool {
	from, known := w.removed.eras[old.Nonce]
	to := w.removed.eras[other.Nonce]
	if !known || from == to {
		return false
	}
	from, to = min(from, to), max(from, to)
	for era := from + 1; era <= to; era++ {
		if saw, opened := w.removed.openers[era]; opened && !slices.Contains(saw, from) {
			return true
		}
	}
	return false
}

// eraOf is the era of a leader record; of one that was never held, the present one.
func (w *World) eraOf(leader *election.LeaderRecord) int {
	if era, known := w.removed.eras[leader.Nonce]; known {
		return era
	}
	return w.removed.era
}

// current reports whether a tenure is one of the election that stands.
func (w *World) current(token election.Token) bool {
	return w.removed.eras[token.Nonce] == w.removed.era
}

// noteGone notes what an answer told of deletions: of which era its process has seen
// a ballot, and whether its own tenure is gone. If so, it is to lead no longer.
func (w *World) noteGone(op *operation, a *machine.Answer) {
	p, before := op.process, op.process.readAt
	if a.Err == nil && a.Status.Leader.Ballot > 0 {
		p.readAt = p.now().Local
		if !a.Status.Leader.Lost() {
			p.saw = a.Status.Leader
		}
	}
	switch leader := &a.Status.Leader; {
	case errors.Is(a.Err, fdbelection.ErrNotInitialized):
		if p.lostAt.IsZero() {
			p.lostAt = p.now().Local
		}
	case a.Err == nil && leader.Ballot > 0:
		p.lostAt = time.Time{}
		if !slices.Contains(p.sawEras, w.eraOf(leader)) {
			p.sawEras = append(p.sawEras, w.eraOf(leader))
		}
	}
	if op.cancelled || op.leads.Term == 0 || p.tenure == nil || p.tenure.token != op.leads {
		return
	}
	gone := errors.Is(a.Err, fdbelection.ErrNotInitialized)
	switch op.what.Kind {
	case machine.ReadLeader, machine.WatchTerm, machine.WatchRequest, machine.Settle:
		// One that began before the last answer may be the older of the two.
		newer := a.Start.After(before) || a.Status.Leader.Token() == op.leads
		gone = gone || a.Err == nil && newer && a.Status.Term.Token != op.leads
	default:
	}
	if gone {
		p.goneAt, p.gone = op.what.ID, op.leads.Term
	}
}

// opens notes who begins an era.
func (w *World) opens(c *commit) {
	r := &w.removed
	if _, opened := r.openers[r.era]; opened || r.era == 0 {
		return
	}
	r.openers[r.era] = nil
	waited := func(p *process) bool {
		return !p.lostAt.IsZero() && p.now().Local.Sub(p.lostAt) >= c.after.Config.LeaseDuration
	}
	if c.by != nil && !c.by.application && !waited(c.by) {
		r.openers[r.era] = slices.Clone(c.by.sawEras)
	}
}
