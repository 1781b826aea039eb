package election

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
)

// RepairResult is what Repair did about one unreadable record.
type RepairResult struct {
	// Key is the complete key in the database, and Record the kind of the record.
	Key    []byte
	Record string
	// Problem says what was wrong.
	Problem string
	// Newer reports whether a newer version of this program has written the record.
	Newer bool
	// Done says what was done about it. It is empty if the record was not changed, since a
	// newer program has written it or it cannot be derived from other records.
	Done string
}

// Repair repairs the damaged records of an election:
//
//   - It removes a damaged request, candidate record or history entry. A candidate that runs
//     an elector registers again by itself.
//   - It derives the rank index from the candidate records, and the term record from the
//     leader record.
//   - It derives a lost leader record from the term record, as RaiseTerm does. Leadership is
//     vacant then, and a holder that still runs may lead until its lease ends.
//
// It does not change records of a newer program. It does not repair a config either: write
// a complete one with WriteConfig. It reads everything except the term record by snapshot,
// so it conflicts only with changes of the tenure and with writers of the records that it
// changes. If it is run again, it finds nothing to do.
//
// Errors: ErrNotInitialized.
func (e *LeaderElection) Repair(tr kv.Transaction, now time.Time) ([]RepairResult, error) {
	r := repairs{e: e, tr: tr}
	reads := e.beginReads(tr)
	term := tr.Get(e.keys.term)
	rows := e.scanCandidates(tr)
	begin, end := record.Below(e.keys.rank, record.IntegerCode, record.AfterInteger)
	ranks := tr.Snapshot().GetRange(begin, end, kv.RangeOptions{})
	begin, end = record.Below(e.keys.history, record.ZeroCode, record.AfterInteger)
	events := tr.Snapshot().GetRange(begin, end, kv.RangeOptions{})
	v, err := reads.await()
	if err != nil {
		return nil, err
	}
	if v.config.Revision == 0 && v.unreadable.config == nil {
		return nil, fdbelection.ErrNotInitialized
	}
	r.leave(v.unreadable.config)
	tenure, err := term.Get()
	if err == nil {
		err = r.leadership(&v, tenure, now)
	}
	if err == nil {
		err = r.remove(v.unreadable.request)
	}
	if err == nil {
		err = r.candidates(&v, rows, ranks)
	}
	if err == nil {
		err = r.history(events)
	}
	return r.done, err
}

// repairs is one run of Repair.
type repairs struct {
	e    *LeaderElection
	tr   kv.Transaction
	done []RepairResult
}

// note notes what was done about a record, if it is unreadable.
func (r *repairs) note(fault error, done string) {
	if state, ok := errors.AsType[*fdbelection.InvalidStateError](fault); ok {
		r.done = append(r.done, RepairResult{Key: state.Key, Record: state.Record, Problem: state.Problem, Newer: state.Newer, Done: done})
	}
}

// leave notes that an unreadable record was not changed.
func (r *repairs) leave(fault error) { r.note(fault, "") }

// remove clears a record if it is damaged.
func (r *repairs) remove(fault error) error {
	var state *fdbelection.InvalidStateError
	switch {
	case !errors.As(fault, &state):
		return nil
	case state.Newer:
		r.leave(fault)
		return nil
	}
	r.note(fault, "removed")
	return r.clear(state.Key)
}

func (r *repairs) clear(key []byte) error {
	err := record.ConflictOn(r.tr, key)
	r.tr.Clear(key)
	return err
}

// leadership repairs the leader record from the term record, or the other way round.
func (r *repairs) leadership(v *view, value []byte, now time.Time) error {
	e := r.e
	var tenure TermRecord
	var fault error
	if value != nil {
		tenure, fault = decodeTerm(e.keys.term, value)
	}
	lost := v.unreadable.leader
	if v.lost {
		lost = e.leaderLost()
	}
	switch {
	case record.IsNewer(fault), record.IsNewer(lost):
		r.leave(lost)
		r.leave(fault)
	case lost != nil && (fault != nil || value == nil || v.config.Revision == 0):
		r.leave(lost)
		r.leave(fault)
	case lost != nil:
		if e.restoreFrom(v, value); !v.lost {
			r.leave(lost)
			return nil
		}
		r.note(lost, "made vacant by the term record")
		_, err := e.raise(r.tr, v, tenure, v.leader.Term, now)
		return err
	case fault != nil, value == nil && v.leader.Ballot > 0:
		if fault == nil {
			fault = invalidKey("term", e.keys.term, errors.New("is missing although a leader record stands"))
		}
		r.note(fault, "written from the leader record")
		tenure = TermRecord{Token: v.leader.Token(), Held: !v.leader.Vacant(), Ballot: v.leader.Ballot}
		e.writeTerm(r.tr, tenure, uuid.Nil) // the last notice may have this nonce and ballot
		return record.ConflictOn(r.tr, e.keys.leader)
	}
	return nil
}

// candidates removes damaged candidate records, and a request that names one of them. It
// then repairs the rank index.
func (r *repairs) candidates(v *view, rows, ranks kv.Future[[]kv.KeyValue]) error {
	found, err := rows.Get()
	if err != nil {
		return registrationPending(err)
	}
	k := &r.e.keys
	wanted := map[string]*Candidate{} // by the key in the index
	kept := map[string]bool{}         // the ids of records in a newer format
	var order []string
	for _, row := range found {
		id, ok := k.candidateID(row.Key)
		if !ok {
			continue
		}
		c, fault := decodeCandidate(row.Key, id, row.Value)
		if fault == nil && c.ranked() {
			key := string(k.rankOf(&c))
			wanted[key], order = &c, append(order, key)
		}
		kept[id] = record.IsNewer(fault)
		if err := r.remove(fault); err != nil {
			return err
		}
		if record.IsDamaged(fault) && v.request.ID == id {
			if err := r.e.dropRequest(r.tr, v, v.request.Identity); err != nil {
				return err
			}
		}
	}
	index, err := ranks.Get()
	if err != nil {
		return registrationPending(err)
	}
	return r.ranks(index, wanted, order, kept)
}

// ranks repairs the rank index, so that it has the keys in wanted. It adds them in order.
func (r *repairs) ranks(index []kv.KeyValue, wanted map[string]*Candidate, order []string, kept map[string]bool) error {
	k := &r.e.keys
	for _, row := range index {
		ranked, ok, fault := k.ranked(row.Key)
		switch {
		case !ok || fault == nil && kept[ranked.ID]:
		case wanted[string(row.Key)] != nil:
			delete(wanted, string(row.Key))
		default:
			r.note(invalidKey("rank", row.Key, errors.New("belongs to no candidate")), "removed")
			if err := record.ConflictOn(r.tr, k.candidate(ranked.ID)); err != nil {
				return err
			}
			if err := r.clear(row.Key); err != nil {
				return err
			}
		}
	}
	for _, key := range order {
		if c := wanted[key]; c != nil {
			r.note(invalidKey("rank", []byte(key), errors.New("is missing")), "written from its candidate")
			if err := record.ConflictOn(r.tr, k.candidate(c.ID)); err != nil {
				return err
			}
			r.tr.Set([]byte(key), nil)
		}
	}
	return nil
}

// history removes damaged entries.
func (r *repairs) history(future kv.Future[[]kv.KeyValue]) error {
	rows, err := future.Get()
	if err != nil {
		return err
	}
	for _, row := range rows {
		if _, ok, fault := r.e.keys.decodeEvent(row.Key, row.Value); ok {
			if err := r.remove(fault); err != nil {
				return err
			}
		}
	}
	return nil
}

func invalidKey(kind string, key []byte, problem error) error {
	return &fdbelection.InvalidStateError{Key: key, Record: kind, Problem: problem.Error()}
}
