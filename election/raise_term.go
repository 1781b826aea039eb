package election

import (
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
)

// MaxTermFloor is the highest floor for RaiseTerm. No election reaches it by itself, and as
// many terms are left above it.
const MaxTermFloor = 1 << 61

// RaiseTerm ends every tenure up to the term floor, so the next tenure has a higher term. It
// returns the leader record after that. Use it in two cases:
//
//   - A database was restored from a backup, so its terms would be used a second time. Pass
//     a floor that no tenure before the restore has exceeded, such as the highest term that
//     any receiver of fenced writes has seen.
//   - The leader record is lost or unreadable, and there is a term record. Any floor will
//     do, for example 1.
//
// If the term is lower than the floor, if it is the floor and leadership is held, or if the
// leader record was lost, then leadership is vacant afterwards. The term is the floor, or
// the previous term if that is higher. The ballot is at least the floor, and above every
// ballot that was written. The request is removed, and the history has an EventEnded under
// the new term. From then on, tokens of all tenures up to that term are fenced, including
// those that came back with the restored data. A holder that still runs may lead until its
// lease ends, so stop all processes first.
//
// It never lowers a term or a ballot, and never ends a tenure above the floor whose records
// are readable. If it is run again, it changes nothing.
//
// Errors: ErrTermFloor, ErrNotInitialized, ErrInvalidState (a leader record in a
// newer format, or one that is lost while the term record cannot be read either).
func (e *LeaderElection) RaiseTerm(tr kv.Transaction, floor uint64, now time.Time) (LeaderRecord, error) {
	if floor == 0 || floor > MaxTermFloor {
		return LeaderRecord{}, fmt.Errorf("%w: it is %d; use 1 to %d", fdbelection.ErrTermFloor, floor, uint64(MaxTermFloor))
	}
	reads := e.beginReads(tr)
	term := tr.Get(e.keys.term)
	v, err := reads.await()
	if err != nil {
		return LeaderRecord{}, err
	}
	value, err := term.Get()
	if err != nil {
		return LeaderRecord{}, err
	}
	if err := v.initialized(); err != nil {
		return LeaderRecord{}, err
	}
	var ended TermRecord
	if value != nil {
		ended, _ = decodeTerm(e.keys.term, value) // an unreadable record is replaced
	}
	if err := v.unreadable.leader; err != nil {
		if record.IsNewer(err) || ended.Term == 0 {
			return LeaderRecord{}, err
		}
		if e.restoreFrom(&v, value); !v.lost {
			return LeaderRecord{}, v.unreadable.leader
		}
	}
	if !v.lost && (v.leader.Term > floor || v.leader.Term == floor && v.leader.Vacant()) {
		return v.leader, record.ConflictOn(tr, e.keys.leader)
	}
	return e.raise(tr, &v, ended, max(floor, v.leader.Term), now)
}

// raise leaves leadership vacant under the term floor, which is not below the current term.
func (e *LeaderElection) raise(tr kv.Transaction, v *view, ended TermRecord, floor uint64, now time.Time) (LeaderRecord, error) {
	if err := record.ConflictOn(tr, e.keys.leader, e.keys.config, e.keys.request); err != nil {
		return LeaderRecord{}, err
	}
	next := v.leader.vacated(now)
	next.Term, next.Ballot = floor, max(next.Ballot, floor)
	ended.Term, ended.Held, ended.Ballot = floor, false, next.Ballot
	e.writeVacancy(tr, v, &next, ended, fmt.Sprintf("raised from term %d by an operator", v.leader.Term))
	return next, e.trim(tr, firstKept(v.config, floor))
}
