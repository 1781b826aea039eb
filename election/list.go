package election

import (
	"errors"
	"fmt"
	"slices"

	"github.com/fdbelection/fdbelection"
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

// ListCandidates returns all candidates by rank (voters before observers, then
// higher priorities, then earlier registrations), by a snapshot read, so that
// listing causes no conflict. Dead candidates are listed until they are evicted.
//
// Records that cannot be read are left out, and the error names each of them
// (ErrInvalidState) while the others are returned. Other errors:
// ErrRegistrationPending.
func (e *LeaderElection) ListCandidates(tr kv.ReadTransaction) ([]Candidate, error) {
	candidates, err := e.decodeCandidates(e.scanCandidates(tr))
	slices.SortFunc(candidates, func(a, b Candidate) int { return a.rankBefore(&b) })
	return candidates, err
}

// scanCandidates reads the range that holds the candidates.
func (e *LeaderElection) scanCandidates(tr kv.ReadTransaction) kv.Future[[]kv.KeyValue] {
	begin, end := below(e.keys.candidates, textCode, afterText)
	return tr.Snapshot().GetRange(begin, end, kv.RangeOptions{})
}

// decodeCandidates returns the candidates that can be read, never nil once the
// rows are there, and a joined error of those that cannot.
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

// RankEntry is an entry of the rank index.
type RankEntry struct {
	ID           string
	Priority     int32
	Versionstamp subspace.Versionstamp
}

// Preferred returns the first k voters by rank, alive or not, by one limited
// snapshot read. Entries that cannot be read are left out and named by the error
// (ErrInvalidState); one whose candidate is gone is possible after changes by
// other hands. Other errors: ErrRegistrationPending.
func (e *LeaderElection) Preferred(tr kv.ReadTransaction, k int) ([]RankEntry, error) {
	if k <= 0 {
		return nil, nil
	}
	return e.decodeRank(e.scanRank(tr, k))
}

// scanRank reads the first k entries of the rank index.
func (e *LeaderElection) scanRank(tr kv.ReadTransaction, k int) kv.Future[[]kv.KeyValue] {
	begin, end := below(e.keys.rank, integerCode, afterInteger)
	return tr.Snapshot().GetRange(begin, end, kv.RangeOptions{Limit: k})
}

// decodeRank returns the entries that can be read, never nil once the rows are there,
// and a joined error of those that cannot.
func (e *LeaderElection) decodeRank(future kv.Future[[]kv.KeyValue]) ([]RankEntry, error) {
	rows, err := future.Get()
	if err != nil {
		return nil, registrationPending(err)
	}
	preferred := make([]RankEntry, 0, len(rows))
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
		preferred = append(preferred, ranked)
	}
	return preferred, errors.Join(faults...)
}

// ListPreferred returns what Preferred does for a k of at least 1, and the candidate
// records of those voters and of the ids in also, by rank, by snapshot reads. Ids without
// a record are left out. It is one wave of reads if also names all of the first k, and two if it
// does not: name those that were found last time. What cannot be read is left out and
// named by the error (ErrInvalidState). Other errors: ErrRegistrationPending.
func (e *LeaderElection) ListPreferred(tr kv.ReadTransaction, k int, also ...string) ([]RankEntry, []Candidate, error) {
	asked := make(map[string]bool, k+len(also))
	loads := make([]candidateLoad, 0, k+len(also))
	ask := func(id string) {
		if !asked[id] && validateID(id) == nil {
			asked[id] = true
			key := e.keys.candidate(id)
			loads = append(loads, candidateLoad{id: id, key: key, future: tr.Snapshot().Get(key)})
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
	candidates := make([]Candidate, 0, len(loads))
	for i := range loads {
		c, unreadable, err := loads[i].await()
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
