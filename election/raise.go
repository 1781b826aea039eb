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
// higher term: for a database that was restored to its past, whose terms would
// otherwise be used a second time. Give it a floor that no tenure before the
// restore has reached, such as the highest that any receiver of fenced writes
// has seen. It returns the leader record that stands then.
//
// Where the term is lower, or where it is the floor and the seat is held, the
// seat is vacant afterwards, its term is the floor and its ballot at least the
// floor; what was asked of the leader is removed, and the history says so under
// the floor. A token of any tenure up to the floor is fenced from then on, also
// one that came back with the restored data; but its holder, if it still runs,
// may believe until its lease ends. Stop all processes before.
//
// It never lowers a term or a ballot, nor ends a tenure above the floor: run
// again it changes nothing.
//
// Errors: ErrTermFloor, ErrNotInitialized, ErrInvalidState.
func (e *LeaderElection) RaiseTerm(tr kv.Transaction, floor uint64, now time.Time) (Leader, error) {
	if floor == 0 || floor > MaxTermFloor {
		return Leader{}, fmt.Errorf("%w: it is %d; use 1 to %d", fdbelection.ErrTermFloor, floor, uint64(MaxTermFloor))
	}
	load := e.begin(tr)
	term := tr.Get(e.keys.term)
	v, err := load.await()
	if err != nil {
		return Leader{}, err
	}
	value, err := term.Get()
	if err != nil {
		return Leader{}, err
	}
	var ended Tenure
	if value != nil {
		if ended, err = decodeTenure(e.keys.term, value); err != nil {
			return Leader{}, err
		}
	}
	if err := e.continued(tr, v.leader); err != nil {
		return Leader{}, err
	}
	if v.leader.Term > floor || v.leader.Term == floor && v.leader.Vacant() {
		return v.leader, conflictOn(tr, e.keys.leader)
	}
	if err := conflictOn(tr, e.keys.leader, e.keys.config, e.keys.intent); err != nil {
		return Leader{}, err
	}
	next := v.leader.vacated(now)
	next.Term, next.Ballot = floor, max(next.Ballot, floor)
	ended.Term, ended.Held = floor, false
	e.writeVacancy(tr, &v, &next, ended, fmt.Sprintf("raised from term %d by an operator", v.leader.Term))
	return next, nil
}
