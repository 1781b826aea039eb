package election

import (
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// Overview is an election for monitoring, as of one read version.
type Overview struct {
	Status
	// Candidates are all candidates by rank, as ListCandidates returns them.
	Candidates []Candidate
	// History has the newest events, newest first.
	History []Event
	// Unreadable names all records that could not be read (ErrInvalidState), also those of
	// Status. The other records are in the overview.
	Unreadable error
}

// OverviewRead is a read of an Overview that has begun.
type OverviewRead struct {
	status              statusRead
	candidates, history kv.Future[[]kv.KeyValue]
}

// BeginOverview begins to read the status, all candidates and the newest events, by one wave
// of snapshot reads. A limit of zero reads all events that are kept. To read many elections
// in one wave, begin all reads before the first call of Await.
func (e *LeaderElection) BeginOverview(tr kv.ReadTransaction, events int) *OverviewRead {
	return &OverviewRead{e.beginStatus(tr), e.scanCandidates(tr), e.scanHistory(tr, events)}
}

// Await waits for the reads. Call it in the transaction of BeginOverview. Errors:
// ErrNotInitialized, ErrInvalidState (of the config or the leader record),
// ErrRegistrationPending.
func (r *OverviewRead) Await() (Overview, error) {
	e := r.status.election
	status, err := r.status.await()
	if err != nil {
		return Overview{}, err
	}
	o := Overview{Status: status, Unreadable: status.Unreadable}
	candidates, candidatesErr := e.rankCandidates(r.candidates)
	history, historyErr := e.decodeHistory(r.history)
	for _, err := range []error{candidatesErr, historyErr} {
		if err != nil && !errors.Is(err, fdbelection.ErrInvalidState) {
			return Overview{}, err
		}
	}
	o.Candidates, o.History = candidates, history
	o.Unreadable = errors.Join(o.Unreadable, candidatesErr, historyErr)
	return o, nil
}
