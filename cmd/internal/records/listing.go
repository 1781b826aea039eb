package records

import (
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// listing is what one transaction saw of the candidates.
type Listing struct {
	Leader           election.LeaderRecord
	Config           fdbelection.Config
	Candidates       []election.Candidate
	LeaderUnreadable error // the leader record cannot be read, so none is marked as the leader
	Unreadable       error // of single records; the others are listed all the same
}

func ReadListing(e *election.LeaderElection, tr kv.ReadTransaction) (Listing, error) {
	config, err := e.ReadConfig(tr)
	if err != nil {
		return Listing{}, err
	}
	r := Listing{Config: config}
	state, err := e.ReadStatus(tr)
	switch {
	case errors.Is(err, fdbelection.ErrInvalidState):
		r.LeaderUnreadable = err
	case err != nil:
		return Listing{}, err
	case LeaderLost(&state):
		r.LeaderUnreadable, r.Leader = state.Unreadable, state.Leader
	default:
		r.Leader = state.Leader
	}
	r.Candidates, r.Unreadable = e.ListCandidates(tr)
	if r.Unreadable != nil && !errors.Is(r.Unreadable, fdbelection.ErrInvalidState) {
		return Listing{}, r.Unreadable
	}
	return r, nil
}
