package records

import (
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// Listing is what one transaction saw of the candidates.
type Listing struct {
	Leader           election.LeaderRecord
	Config           fdbelection.Config
	Candidates       []election.Candidate
	LeaderUnreadable error // if it is not nil, no candidate is marked as the leader
	Unreadable       error // of single candidate records; the others are listed
}

// ReadListing reads the candidates, the leader and the config.
func ReadListing(e *election.LeaderElection, tr kv.ReadTransaction) (Listing, error) {
	config, err := e.ReadConfig(tr)
	if err != nil {
		return Listing{}, err
	}
	l := Listing{Config: config}
	status, err := e.ReadStatus(tr)
	switch {
	case errors.Is(err, fdbelection.ErrInvalidState):
		l.LeaderUnreadable = err
	case err != nil:
		return Listing{}, err
	case LeaderLost(&status):
		l.LeaderUnreadable, l.Leader = status.Unreadable, status.Leader
	default:
		l.Leader = status.Leader
	}
	l.Candidates, l.Unreadable = e.ListCandidates(tr)
	if l.Unreadable != nil && !errors.Is(l.Unreadable, fdbelection.ErrInvalidState) {
		return Listing{}, l.Unreadable
	}
	return l, nil
}
