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

// This file is the fault "delete". An operator removes records of the election with a
// tool that ignores the protocol.

// victim is what a deletion removes.
type victim int

const (
	victimAll victim = iota
	victimConfig
	victimLeader
	victimTerm
	victimRequest
	victimCandidate
	victimRank
	victimEvent
	victims
)

// String describes what is removed.
func (v victim) String() string {
	return [...]string{
		"the election", "the config", "the leader record", "the term record", "the request", "a candidate record",
		"a rank entry", "a history entry",
	}[v]
}

// deleteRecords lets an operator delete a record or the complete election.
func (w *world) deleteRecords() {
	what, which := victim(w.pick(faultDelete, int(victims))), w.pick(faultDelete, 1<<16)
	w.operator.start(labelDelete, func(t *task) {
		err := w.operator.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
			if w.faultFreeSince > 0 {
				return errCancelled
			}
			return w.deleteVictim(tr, what, which)
		})
		if w.tracing {
			w.trace(nil, "operator: delete %s: %v", what, err)
		}
	})
}

// deleteVictim removes a record, without a read that its commit could conflict on. If
// there are several records of the kind, which selects one.
func (w *world) deleteVictim(tr kv.Transaction, what victim, which int) error {
	k := &w.keys
	var among subspace.Subspace
	switch what {
	case victimAll:
		begin, end := k.space.Range()
		tr.ClearRange(begin, end)
		return nil
	case victimConfig:
		tr.Clear(k.config)
		return nil
	case victimLeader:
		tr.Clear(k.leader)
		return nil
	case victimTerm:
		tr.Clear(k.term)
		return nil
	case victimRequest:
		tr.Clear(k.request)
		return nil
	case victimCandidate:
		among = k.candidates
	case victimRank:
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

// deletions is what the checks remember of deletions.
type deletions struct {
	// era counts the elections of this subspace. The next one begins when both the leader
	// record and the term record are gone. Its terms and ballots begin again.
	era int
	// eras has the era of each tenure, by nonce.
	eras map[[16]byte]int
	// erasSeen has, for each era, the earlier eras of which its first leader had seen a
	// ballot. It is empty if that leader had waited for a lease after it saw that the
	// election was gone.
	erasSeen map[int][]int
	// leader is the leader record that was deleted in this era, until another one is
	// written.
	leader election.LeaderRecord
	// leaders counts the deletions of the leader record, and leaderAt is the version of the
	// last one.
	leaders  int
	leaderAt int64
	// extraRanks are rank entries whose candidates were deleted, and missingRanks the voters
	// whose rank entries were deleted. orphanRequests are the requests whose author or
	// target was deleted.
	extraRanks, missingRanks map[election.RankEntry]bool
	// restoredBallots are the ballots that a transaction reads instead of a deleted leader
	// record. They are not written, unless a new election reaches the same number.
	restoredBallots map[uint64]bool
	orphanRequests  map[[16]byte]bool
	config          []byte // the last config that was stored
}

func newDeletions() deletions {
	return deletions{
		eras: map[[16]byte]int{}, erasSeen: map[int][]int{}, extraRanks: map[election.RankEntry]bool{},
		missingRanks: map[election.RankEntry]bool{}, orphanRequests: map[[16]byte]bool{}, restoredBallots: map[uint64]bool{},
	}
}

// copied returns a copy that shares nothing with r.
func (r deletions) copied() deletions {
	r.eras, r.erasSeen = maps.Clone(r.eras), maps.Clone(r.erasSeen)
	r.restoredBallots = maps.Clone(r.restoredBallots)
	r.extraRanks, r.missingRanks, r.orphanRequests = maps.Clone(r.extraRanks), maps.Clone(r.missingRanks), maps.Clone(r.orphanRequests)
	return r
}

// withoutConfig is the shadow with a config added.
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

// readState reads the status from the shadow. It works without a config too, and returns
// an empty leader record if that is gone.
func (w *world) readState() (election.Status, error) {
	state, err := w.readStored()
	if _, stands := w.shadow.find(w.keys.leader); !stands {
		state.Leader = election.LeaderRecord{}
	}
	return state, err
}

func (w *world) readStored() (election.Status, error) {
	state, err := w.election.ReadStatus(&w.shadow)
	switch {
	case err == nil:
		at, _ := w.shadow.find(w.keys.config)
		w.deleted.config = w.shadow.rows[at].Value
		return state, nil
	case !errors.Is(err, fdbelection.ErrNotInitialized):
		return state, err
	case w.deleted.config == nil:
		return state, nil
	}
	state, err = w.election.ReadStatus(withoutConfig{&w.shadow, w.keys.config, w.deleted.config})
	state.Config = fdbelection.Config{}
	return state, err
}

// ballotGap is how far above the ballot of the term record a lost leader record is
// restored.
const ballotGap = 1 << 40

// noteDeletion updates what the checks expect after a deletion.
func (w *world) noteDeletion(c *commit) {
	r := &w.deleted
	before := c.before
	if before.Config.Revision != 0 && c.after.Config.Revision == 0 {
		w.configAt = c.entry.Version
	}
	if before.Leader.Ballot > 0 && c.after.Leader.Ballot == 0 {
		r.leader, r.leaders, r.leaderAt = before.Leader, r.leaders+1, c.entry.Version
		w.leaderTouched = c.entry.Version
		r.restoredBallots[max(c.after.Term.Ballot, c.after.Term.Term)+ballotGap] = true
		w.noteDeletedLeader()
		w.situation("leader record deleted")
	}
	gone := c.after.Leader.Ballot == 0 && c.after.Term == election.TermRecord{}
	if gone && (before.Leader.Ballot > 0 || before.Term != election.TermRecord{}) {
		w.situation("election deleted")
		r.era++
		r.leader = election.LeaderRecord{}
		w.holders = map[uint64]election.Token{}
		w.outside = outsideSystem{senders: map[uint64]election.Token{}} // a receiver cannot tell terms of two elections apart
	}
	for id := range w.records {
		if _, err := w.election.GetCandidate(&w.shadow, id); err != nil {
			delete(w.records, id)
			w.forgetNotes(id)
		}
	}
	if request := &c.after.Request; request.ID != "" && w.records[request.ID].Identity != request.Identity {
		r.orphanRequests[request.Nonce] = true
	}
	voters, ranked := w.ranks(c)
	for _, entry := range ranked {
		r.extraRanks[entry] = r.extraRanks[entry] || !slices.Contains(voters, entry)
	}
	for _, entry := range voters {
		r.missingRanks[entry] = r.missingRanks[entry] || !slices.Contains(ranked, entry)
	}
}

// restartedUnaware reports whether the election of one tenure was deleted, and another
// election was started in its place by a process that had seen no ballot of the first.
func (w *world) restartedUnaware(old, other election.Token) bool {
	from, known := w.deleted.eras[old.Nonce]
	to := w.deleted.eras[other.Nonce]
	if !known || from == to {
		return false
	}
	from, to = min(from, to), max(from, to)
	for era := from + 1; era <= to; era++ {
		if saw, opened := w.deleted.erasSeen[era]; opened && !slices.Contains(saw, from) {
			return true
		}
	}
	return false
}

// eraOf is the era of a leader record, or the current era if it was never held.
func (w *world) eraOf(leader *election.LeaderRecord) int {
	if era, known := w.deleted.eras[leader.Nonce]; known {
		return era
	}
	return w.deleted.era
}

// current reports whether a tenure belongs to the election that is stored.
func (w *world) current(token election.Token) bool {
	return w.deleted.eras[token.Nonce] == w.deleted.era
}

// noteLostTenure notes what an answer says of deletions: the eras of which its process has
// seen a ballot, and whether its own tenure is gone. In that case it must stop leading.
func (w *world) noteLostTenure(op *operation, a *machine.Answer) {
	p, before := op.process, op.process.readAt
	if a.Err == nil && a.Status.Leader.Ballot > 0 {
		p.readAt = p.now().Local
		if !a.Status.Leader.Lost() {
			p.lastRead = a.Status.Leader
		}
	}
	switch leader := &a.Status.Leader; {
	case errors.Is(a.Err, fdbelection.ErrNotInitialized):
		if p.noElectionSince.IsZero() {
			p.noElectionSince = p.now().Local
		}
	case a.Err == nil && leader.Ballot > 0:
		p.noElectionSince = time.Time{}
		if !slices.Contains(p.sawEras, w.eraOf(leader)) {
			p.sawEras = append(p.sawEras, w.eraOf(leader))
		}
	}
	if op.cancelled || op.leadsIn.Term == 0 || p.tenure == nil || p.tenure.token != op.leadsIn {
		return
	}
	gone := errors.Is(a.Err, fdbelection.ErrNotInitialized)
	switch op.what.Kind {
	case machine.ReadLeader, machine.WatchTerm, machine.WatchRequest, machine.Settle:
		// An answer that began before the last one may be the older of the two.
		newer := a.Start.After(before) || a.Status.Leader.Token() == op.leadsIn
		gone = gone || a.Err == nil && newer && a.Status.Term.Token != op.leadsIn
	default:
	}
	if gone {
		p.goneOp, p.goneTerm = op.what.ID, op.leadsIn.Term
	}
}

// noteEraStart notes which process starts an era.
func (w *world) noteEraStart(c *commit) {
	r := &w.deleted
	if _, opened := r.erasSeen[r.era]; opened || r.era == 0 {
		return
	}
	r.erasSeen[r.era] = nil
	waited := func(p *process) bool {
		return !p.noElectionSince.IsZero() && p.now().Local.Sub(p.noElectionSince) >= c.after.Config.LeaseDuration
	}
	if c.by != nil && !c.by.application && !waited(c.by) {
		r.erasSeen[r.era] = slices.Clone(c.by.sawEras)
	}
}
