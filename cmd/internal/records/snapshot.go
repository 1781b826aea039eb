package records

import (
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// Snapshot is what one transaction saw of an election.
type Snapshot struct {
	election.Status
	Candidates           []election.Candidate
	History              []election.Event // the newest events, newest first
	Unreadable           error            // of single records; the others are in the snapshot
	CandidatesUnreadable bool             // candidate records are among them
}

// SnapshotEvents is how many events a snapshot has: more than happen between two reads.
const SnapshotEvents = 64

// ReadSnapshot reads the status, the candidates and the newest events.
func ReadSnapshot(e *election.LeaderElection, tr kv.ReadTransaction) (*Snapshot, error) {
	status, err := e.ReadStatus(tr)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Status: status}
	var candidatesErr, historyErr error
	s.Candidates, candidatesErr = e.ListCandidates(tr)
	s.History, historyErr = e.History(tr, SnapshotEvents)
	for _, err := range []error{candidatesErr, historyErr} {
		if err != nil && !errors.Is(err, fdbelection.ErrInvalidState) {
			return nil, err
		}
	}
	s.Unreadable = errors.Join(status.Unreadable, candidatesErr, historyErr)
	s.CandidatesUnreadable = candidatesErr != nil
	return s, nil
}
