package cli

import (
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// listing is what one transaction saw of the candidates.
type listing struct {
	leader     election.LeaderRecord
	config     fdbelection.Config
	candidates []election.Candidate
	unseated   error // the leader record cannot be read, so none is marked as the leader
	unreadable error // of single records; the others are listed all the same
}

func readListing(e *election.LeaderElection, tr kv.ReadTransaction) (listing, error) {
	config, err := e.ReadConfig(tr)
	if err != nil {
		return listing{}, err
	}
	r := listing{config: config}
	state, err := e.ReadStatus(tr)
	switch {
	case errors.Is(err, fdbelection.ErrInvalidState):
		r.unseated = err
	case err != nil:
		return listing{}, err
	case leaderLost(&state):
		r.unseated, r.leader = state.Unreadable, state.Leader
	default:
		r.leader = state.Leader
	}
	r.candidates, r.unreadable = e.ListCandidates(tr)
	if r.unreadable != nil && !errors.Is(r.unreadable, fdbelection.ErrInvalidState) {
		return listing{}, r.unreadable
	}
	return r, nil
}
