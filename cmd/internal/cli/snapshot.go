package cli

import (
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// sight is what one transaction saw of an election.
type sight struct {
	election.Status
	candidates []election.Candidate
	history    []election.Event // the newest, newest first
	unreadable error            // of single records; the others are there all the same
	unlisted   bool             // candidates are among them
}

// watchHistory is how many events a look reads: more than ever pass between two.
const watchHistory = 64

// lookAt reads all that is watched.
func lookAt(e *election.LeaderElection, tr kv.ReadTransaction) (*sight, error) {
	state, err := e.ReadStatus(tr)
	if err != nil {
		return nil, err
	}
	s := &sight{Status: state}
	var unlisted, untold error
	s.candidates, unlisted = e.ListCandidates(tr)
	s.history, untold = e.History(tr, watchHistory)
	for _, err := range []error{unlisted, untold} {
		if err != nil && !errors.Is(err, fdbelection.ErrInvalidState) {
			return nil, err
		}
	}
	s.unreadable = errors.Join(state.Unreadable, unlisted, untold)
	s.unlisted = unlisted != nil
	return s, nil
}
