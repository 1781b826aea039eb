package election

import (
	"bytes"
	"slices"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// chaosChecker replays the commit log and checks each commit against the records before it.
// The numbers in its messages are those of the invariants.
type chaosChecker struct {
	c       *chaos
	rows    map[string][]byte
	version int64 // of the newest commit

	config  fdbelection.Config
	leader  LeaderRecord
	term    TermRecord
	request Request

	leaderTouched int64 // the newest commit that wrote or settled the leader record
	nonces        map[uuid.UUID]bool
	stopped       map[Identity]int64 // the version of the commit by which it left
	holders       map[uint64]Identity
}

func newChaosChecker(c *chaos) chaosChecker {
	return chaosChecker{
		c: c, rows: map[string][]byte{}, nonces: map[uuid.UUID]bool{},
		stopped: map[Identity]int64{}, holders: map[uint64]Identity{},
	}
}

func (k *chaosChecker) failf(tr *chaosTx, format string, args ...any) {
	k.c.t.Helper()
	k.c.t.Errorf("%s by %s: "+format, append([]any{tr.what, tr.actor}, args...)...)
}

// commit checks the newest commit, which tr made.
func (k *chaosChecker) commit(tr *chaosTx) {
	log := k.c.db.CommitLog()
	if len(log) == 0 || log[len(log)-1].Version == k.version {
		return // it wrote nothing
	}
	entry := log[len(log)-1]
	before := *k
	k.version = entry.Version
	wrote := k.apply(entry)
	k.decode(tr)

	keys := &k.c.e.keys
	wroteLeader, wroteTerm := slices.Contains(wrote, string(keys.leader)), slices.Contains(wrote, string(keys.term))
	k.checkLeader(tr, &before, entry, wroteLeader)
	if tenureChanged := before.term != k.term; tenureChanged != wroteTerm {
		k.failf(tr, "term record written %v, changed %v", wroteTerm, tenureChanged)
	}
	if wroteTerm {
		k.checkTenure(tr, &before)
	}
	if k.request != before.request && k.request.Kind != NoRequest && k.request.Term != before.leader.Term {
		k.failf(tr, "#25: a request about term %d in term %d", k.request.Term, before.leader.Term)
	}
	if tr.work != nil && (before.term.Token != *tr.work || !before.term.Held) {
		k.failf(tr, "#4: fenced work of %v committed in %v", *tr.work, before.term)
	}
	if at, gone := k.stopped[tr.actor]; gone && entry.ReadVersion < at && tr.what != "leave" {
		k.failf(tr, "#26: committed after its process had left")
	}
	if tr.action == Followed {
		k.checkFollower(tr, wrote)
	}
	k.checkRanks(tr)
}

// apply puts a commit into the rows and returns the keys that it set or cleared.
func (k *chaosChecker) apply(entry memkv.LogEntry) (wrote []string) {
	for _, m := range entry.Mutations {
		if m.Kind == memkv.MutationSet {
			k.rows[string(m.Key)] = m.Value
			wrote = append(wrote, string(m.Key))
			continue
		}
		for key := range k.rows {
			if key >= string(m.Key) && key < string(m.Value) {
				delete(k.rows, key)
				wrote = append(wrote, key)
			}
		}
	}
	return wrote
}

func (k *chaosChecker) decode(tr *chaosTx) {
	keys := &k.c.e.keys
	var err error
	must := func(err error) {
		if err != nil {
			k.failf(tr, "%v", err)
		}
	}
	k.config, err = decodeConfig(keys.config, k.rows[string(keys.config)])
	must(err)
	k.leader, err = decodeLeader(keys.leader, k.rows[string(keys.leader)])
	must(err)
	k.request, err = decodeRequest(keys.request, k.rows[string(keys.request)])
	must(err)
	if value, there := k.rows[string(keys.term)]; there {
		k.term, err = decodeTerm(keys.term, value)
		must(err)
	}
}

// checkLeader checks invariants 1, 2, 3 and 7, and settling of 26.
func (k *chaosChecker) checkLeader(tr *chaosTx, before *chaosChecker, entry memkv.LogEntry, wrote bool) {
	was, is := before.leader, k.leader
	touches := slices.ContainsFunc(entry.WriteConflicts, func(r memkv.Range) bool {
		leader := k.c.e.keys.leader
		return bytes.Compare(r.Begin, leader) <= 0 && bytes.Compare(leader, r.End) < 0
	})
	if touches {
		if entry.ReadVersion < before.leaderTouched {
			k.failf(tr, "#26: written after a read of a leader record that was settled or replaced since")
		}
		k.leaderTouched = entry.Version
	}
	if !wrote {
		return
	}
	if tr.what == "raise" {
		k.checkRaise(tr, before)
		return
	}
	if is.Ballot != was.Ballot+1 {
		k.failf(tr, "#1: ballot %d after %d", is.Ballot, was.Ballot)
	}
	switch {
	case is.Term == was.Term && is.Vacant():
		if was.Vacant() || is.Nonce != was.Nonce || tr.actor != was.Identity && tr.what != "force resign" {
			k.failf(tr, "#8: %v vacated to %v", was, is)
		}
		if tr.what == "force resign" {
			k.c.counts["forced to resign"]++
		}
		if tr.what == "leave" {
			k.c.counts["left holding"]++
		}
	case is.Term == was.Term:
		if is.Token() != was.Token() || tr.actor != was.Identity {
			k.failf(tr, "#7: %v renewed as %v", was, is)
		}
		if !before.config.ElectionEnabled {
			k.failf(tr, "#5: renewed while disabled")
		}
	case is.Term == was.Term+1 && !is.Vacant():
		k.checkBegin(tr, before)
	default:
		k.failf(tr, "#3: from %v to %v", was, is)
	}
	if holder, known := k.holders[is.Term]; known && !is.Vacant() && holder != is.Identity {
		k.failf(tr, "#2: term %d held by %v and %v", is.Term, holder, is.Identity)
	}
}

// checkRaise: RaiseTerm lowers nothing, ends no tenure above its floor, and leaves leadership
// vacant in a term from which the next one is above the floor.
func (k *chaosChecker) checkRaise(tr *chaosTx, before *chaosChecker) {
	was, is := before.leader, k.leader
	switch {
	case was.Term > tr.floor:
		k.failf(tr, "a raise to %d ended %v", tr.floor, was)
	case !is.Vacant() || is.Term != tr.floor || is.Ballot != max(was.Ballot+1, tr.floor):
		k.failf(tr, "a raise to %d changed the leader record to %v from %v", tr.floor, is, was)
	case was.Vacant() && was.Term == tr.floor:
		k.failf(tr, "a raise to %d was made twice", tr.floor)
	}
	if k.request.Kind != NoRequest {
		k.failf(tr, "#25: a request stands after its term")
	}
	k.c.counts["raised"]++
	if !was.Vacant() {
		k.c.counts["raised a held leadership"]++
	}
}

// checkBegin checks invariants 5, 6, 8, 13 and 14, by the config that the commit has read.
func (k *chaosChecker) checkBegin(tr *chaosTx, before *chaosChecker) {
	was, is, config := before.leader, k.leader, before.config
	k.holders[is.Term] = is.Identity
	if k.nonces[is.Nonce] {
		k.failf(tr, "#2: the nonce of term %d was used before", is.Term)
	}
	k.nonces[is.Nonce] = true
	if !config.ElectionEnabled {
		k.failf(tr, "#5: a tenure began while disabled")
	}
	key := k.c.e.keys.candidate(is.ID)
	holder, err := decodeCandidate(key, is.ID, k.rows[string(key)])
	if err != nil || holder.Identity != is.Identity || holder.Role != Voter {
		k.failf(tr, "#13: the new holder %v is not a registered voter: %v", is.Identity, holder)
	}
	legal := false
	switch is.AcquireReason {
	case AcquireVacancy:
		legal = was.Vacant() && tr.actor == is.Identity
	case AcquireExpiry:
		legal = tr.actor == is.Identity && (config.Expiry == fdbelection.ExpiryByObservation || was.ExpiredAt(tr.now))
	case AcquireReclaim:
		legal = tr.actor == is.Identity && was.Identity == is.Identity
	case AcquireTransfer:
		legal = tr.actor == was.Identity && !is.Accepted
	case AcquirePreemption:
		legal = config.AllowPreemption && is.Priority > was.Priority &&
			(tr.what == "hand over" && tr.actor == was.Identity && !is.Accepted ||
				config.PreemptionGrace == 0 && tr.actor == is.Identity)
	}
	if !legal {
		k.failf(tr, "#5, #6: %v after %v by %v with %+v", is, was, is.AcquireReason, config)
	}
	if k.request.Kind != NoRequest {
		k.failf(tr, "#25: a request stands after its term")
	}
}

// checkTenure checks that the term record agrees with the leader record.
func (k *chaosChecker) checkTenure(tr *chaosTx, before *chaosChecker) {
	switch {
	case tr.what == "raise":
		want := before.term
		want.Term, want.Held, want.Ballot = k.leader.Term, false, k.leader.Ballot
		if k.term != want {
			k.failf(tr, "term record %v after %v was raised", k.term, before.term)
		}
	case k.leader.Vacant():
		want := TermRecord{Token: before.leader.Token(), Ballot: k.leader.Ballot}
		if k.term != want {
			k.failf(tr, "#8: term record %v after %v", k.term, before.leader)
		}
	case k.term != TermRecord{Token: k.leader.Token(), Held: true, Ballot: k.term.Ballot}:
		k.failf(tr, "#4: term record %v beside %v", k.term, k.leader)
	}
}

// checkFollower checks invariant 15.
func (k *chaosChecker) checkFollower(tr *chaosTx, wrote []string) {
	keys := &k.c.e.keys
	for _, key := range wrote {
		if key != string(keys.candidate(tr.actor.ID)) && !bytes.HasPrefix([]byte(key), keys.rank) {
			k.failf(tr, "#15: a follower wrote %q", key)
		}
	}
}

// checkRanks checks invariant 11: the rank index has exactly the voters.
func (k *chaosChecker) checkRanks(tr *chaosTx) {
	keys := &k.c.e.keys
	want := map[string]bool{}
	ranks := 0
	for key, value := range k.rows {
		switch {
		case bytes.HasPrefix([]byte(key), keys.candidates):
			id, ok := keys.candidateID([]byte(key))
			if !ok {
				k.failf(tr, "%q is not the key of a candidate", key)
			}
			candidate, err := decodeCandidate([]byte(key), id, value)
			if err != nil {
				k.failf(tr, "%v", err)
			}
			if candidate.Role == Voter {
				want[string(keys.rankOf(&candidate))] = true
			}
		case bytes.HasPrefix([]byte(key), keys.rank):
			ranks++
		}
	}
	for key := range want {
		if _, there := k.rows[key]; !there {
			k.failf(tr, "#11: a voter without a rank entry")
		}
	}
	if ranks != len(want) {
		k.failf(tr, "#11: %d rank entries for %d voters", ranks, len(want))
	}
}
