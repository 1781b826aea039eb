package election

import (
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// MaxTermFloor bounds what RaiseTerm takes: terms and ballots that no election
// comes to by itself, with as many left to go on.
const MaxTermFloor = 1 << 61

// RaiseTerm ends every tenure up to the term floor, so that the next one has a
// higher term. It is for a database that was restored to its past, whose terms
// would otherwise be used a second time: give it a floor that no tenure before the
// restore has reached, such as the highest that any receiver of fenced writes has
// seen. It is also for a leader record that was lost or cannot be read, if the
// term record still stands: any floor will do, 1 included. It returns the leader
// record that stands then.
//
// If the term is lower, if it is the floor and the leadership is held, or if the
// leader record was lost, the leadership is vacant afterwards. Its term is the
// floor, or the term that stood if that is higher; its ballot is at least the
// floor, and above every ballot that was written. What was asked of the leader is
// removed, and the history says so under the term. A token of any tenure up to
// that term is fenced from then on, also one that came back with the restored data.
// Its holder, if it still runs, may believe until its lease ends. Stop all
// processes before.
//
// It never lowers a term or a ballot, nor ends a tenure above the floor whose
// records are whole: run again it changes nothing.
//
// Errors: ErrTermFloor, ErrNotInitialized, ErrInvalidState (a leader record in a
// newer format, or one that is lost while the term record cannot be read either).
func (e *LeaderElection) RaiseTerm(tr kv.Transaction, floor uint64, now time.Time) (LeaderRecord, error) {
	if floor == 0 || floor > MaxTermFloor {
		return LeaderRecord{}, fmt.Errorf("%w: it is %d; use 1 to %d", fdbelection.ErrTermFloor, floor, uint64(MaxTermFloor))
	}
	load := e.begin(tr)
	term := tr.Get(e.keys.term)
	v, err := load.await()
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
		ended, _ = decodeTenure(e.keys.term, value) // one that cannot be read is replaced
	}
	if err := v.unreadable.leader; err != nil {
		if isNewer(err) || ended.Term == 0 {
			return LeaderRecord{}, err
		}
		if e.restoreFrom(&v, value); !v.lost {
			return LeaderRecord{}, v.unreadable.leader
		}
	}
	if !v.lost && (v.leader.Term > floor || v.leader.Term == floor && v.leader.Vacant()) {
		return v.leader, conflictOn(tr, e.keys.leader)
	}
	return e.raise(tr, &v, ended, max(floor, v.leader.Term), now)
}

// raise leaves the leadership vacant under the term floor, which is not below the
// term that stands.
func (e *LeaderElection) raise(tr kv.Transaction, v *view, ended TermRecord, floor uint64, now time.Time) (LeaderRecord, error) {
	if err := conflictOn(tr, e.keys.leader, e.keys.config, e.keys.intent); err != nil {
		return LeaderRecord{}, err
	}
	next := v.leader.vacated(now)
	next.Term, next.Ballot = floor, max(next.Ballot, floor)
	ended.Term, ended.Held, ended.Ballot = floor, false, next.Ballot
	e.writeVacancy(tr, v, &next, ended, fmt.Sprintf("raised from term %d by an operator", v.leader.Term))
	return next, e.trim(tr, firstKept(v.config, floor))
}
