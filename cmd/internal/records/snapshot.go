package records

import (
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// sight is what one transaction saw of an election.
type Snapshot struct {
	election.Status
	Candidates           []election.Candidate
	History              []election.Event // the newest, newest first
	Unreadable           error            // of single records; the others are there all the same
	CandidatesUnreadable bool             // candidates are among them
}

// watchHistory is how many events a look reads: more than ever pass between two.
const SnapshotEvents = 64

// lookAt reads all that is watched.
func ReadSnapshot(e *election.LeaderElection, tr kv.ReadTransaction) (*Snapshot, error) {
	state, err := e.ReadStatus(tr)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Status: state}
	var unlisted, untold error
	s.Candidates, unlisted = e.ListCandidates(tr)
	s.History, untold = e.History(tr, SnapshotEvents)
	for _, err := range []error{unlisted, untold} {
		if err != nil && !errors.Is(err, fdbelection.ErrInvalidState) {
			return nil, err
		}
	}
	s.Unreadable = errors.Join(state.Unreadable, unlisted, untold)
	s.CandidatesUnreadable = unlisted != nil
	return s, nil
}
