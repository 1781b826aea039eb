package election

import (
	"errors"
	"fmt"
	"slices"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// GetCandidate returns the record of a candidate, by a snapshot read. Errors:
// ErrProcessNotFound, ErrInvalidCandidate, ErrRegistrationPending,
// ErrInvalidState.
func (e *LeaderElection) GetCandidate(tr kv.ReadTransaction, id string) (Candidate, error) {
	if err := validateID(id); err != nil {
		return Candidate{}, err
	}
	key := e.keys.candidate(id)
	value, err := tr.Snapshot().Get(key).Get()
	switch {
	case err != nil:
		return Candidate{}, registrationPending(err)
	case value == nil:
		return Candidate{}, fmt.Errorf("%w: %s", fdbelection.ErrProcessNotFound, SafeText(id))
	}
	return decodeCandidate(key, id, value)
}

// ListCandidates returns all candidates by rank, by a snapshot read: voters before
// observers, then ready ones, then higher priorities, then those that have been ready for
// longer. A dead candidate is listed until it is evicted.
//
// It omits unreadable records and returns the others, with an error that names each
// unreadable one (ErrInvalidState). Other errors: ErrRegistrationPending.
func (e *LeaderElection) ListCandidates(tr kv.ReadTransaction) ([]Candidate, error) {
	return e.rankCandidates(e.scanCandidates(tr))
}

// rankCandidates is decodeCandidates, by rank.
func (e *LeaderElection) rankCandidates(future kv.Future[[]kv.KeyValue]) ([]Candidate, error) {
	candidates, err := e.decodeCandidates(future)
	slices.SortFunc(candidates, func(a, b Candidate) int { return a.rankBefore(&b) })
	return candidates, err
}

// scanCandidates begins to read all candidate records.
func (e *LeaderElection) scanCandidates(tr kv.ReadTransaction) kv.Future[[]kv.KeyValue] {
	begin, end := record.Below(e.keys.candidates, record.TextCode, record.AfterText)
	return tr.Snapshot().GetRange(begin, end, kv.RangeOptions{})
}

// decodeCandidates returns the readable candidates, and a joined error of the others. The
// slice is nil only if the read failed.
func (e *LeaderElection) decodeCandidates(future kv.Future[[]kv.KeyValue]) ([]Candidate, error) {
	rows, err := future.Get()
	if err != nil {
		return nil, registrationPending(err)
	}
	candidates := make([]Candidate, 0, len(rows))
	var faults []error
	for _, row := range rows {
		id, ok := e.keys.candidateID(row.Key)
		if !ok {
			continue
		}
		c, err := decodeCandidate(row.Key, id, row.Value)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		candidates = append(candidates, c)
	}
	return candidates, errors.Join(faults...)
}

// RankEntry is one entry of the rank index.
type RankEntry struct {
	ID       string
	Priority int32
	// Versionstamp is Candidate.ReadySince.
	Versionstamp subspace.Versionstamp
}

// Shortlist returns the first k ready voters by rank, alive or not, by one limited snapshot read.
// It omits unreadable entries, and names them in the error (ErrInvalidState). If another
// program has changed records, an entry may have no candidate. Other errors:
// ErrRegistrationPending.
func (e *LeaderElection) Shortlist(tr kv.ReadTransaction, k int) ([]RankEntry, error) {
	if k <= 0 {
		return nil, nil
	}
	return e.decodeRank(e.scanRank(tr, k))
}

// scanRank begins to read the first k entries of the rank index.
func (e *LeaderElection) scanRank(tr kv.ReadTransaction, k int) kv.Future[[]kv.KeyValue] {
	begin, end := record.Below(e.keys.rank, record.IntegerCode, record.AfterInteger)
	return tr.Snapshot().GetRange(begin, end, kv.RangeOptions{Limit: k})
}

// decodeRank returns the readable entries, and a joined error of the others. The slice is
// nil only if the read failed.
func (e *LeaderElection) decodeRank(future kv.Future[[]kv.KeyValue]) ([]RankEntry, error) {
	rows, err := future.Get()
	if err != nil {
		return nil, registrationPending(err)
	}
	shortlist := make([]RankEntry, 0, len(rows))
	var faults []error
	for _, row := range rows {
		ranked, ok, err := e.keys.ranked(row.Key)
		if !ok {
			continue
		}
		if err != nil {
			faults = append(faults, invalidKey("rank", row.Key, err))
			continue
		}
		shortlist = append(shortlist, ranked)
	}
	return shortlist, errors.Join(faults...)
}

// ListShortlist returns what Shortlist returns for a k of at least 1, and the candidate
// records of those voters and of the ids in also, by rank. It reads by snapshot, in one wave
// if also names all of the first k, and in two if not. So pass the ids that the last call
// returned. It omits ids without a record. It also omits unreadable records, and names them
// in the error (ErrInvalidState). Other errors: ErrRegistrationPending.
func (e *LeaderElection) ListShortlist(tr kv.ReadTransaction, k int, also ...string) ([]RankEntry, []Candidate, error) {
	asked := make(map[string]bool, k+len(also))
	records := make([]candidateRead, 0, k+len(also))
	ask := func(id string) {
		if !asked[id] && validateID(id) == nil {
			asked[id] = true
			records = append(records, e.readCandidate(tr.Snapshot(), id))
		}
	}
	rank := e.scanRank(tr, max(k, 1))
	for _, id := range also {
		ask(id)
	}
	ranked, faults := e.decodeRank(rank)
	if ranked == nil {
		return nil, nil, faults
	}
	for i := range ranked {
		ask(ranked[i].ID)
	}
	candidates := make([]Candidate, 0, len(records))
	for i := range records {
		c, unreadable, err := records[i].await()
		if err != nil {
			return nil, nil, err
		}
		if c != nil {
			candidates = append(candidates, *c)
		}
		faults = errors.Join(faults, unreadable)
	}
	slices.SortFunc(candidates, func(a, b Candidate) int { return a.rankBefore(&b) })
	return ranked, candidates, faults
}
