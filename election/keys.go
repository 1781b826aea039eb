package election

import (
	"fmt"
	"slices"

	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/subspace"
)

// keys holds the fixed keys of an election, and the prefixes of the others.
type keys struct {
	space                          subspace.Subspace
	config, leader, term, request  []byte
	candidates, rank, history      []byte
	leaderNotice, candidatesNotice []byte
}

func newKeys(space subspace.Subspace) keys {
	named := func(name string) []byte {
		key := subspace.AppendString(space.Bytes(), name)
		return slices.Clip(key) // so that an append makes a copy
	}
	notice := func(kind uint64) []byte { return slices.Clip(subspace.AppendUint(named("notice"), kind)) }
	return keys{
		space:  space,
		config: named("config"), leader: named("leader"), term: named("term"), request: named("intent"),
		candidates: named("candidates"), rank: named("rank"), history: named("history"),
		leaderNotice: notice(0), candidatesNotice: notice(1),
	}
}

// candidate returns the key of the record of id.
func (k *keys) candidate(id string) []byte {
	return subspace.AppendString(record.Grow(k.candidates, len(id)+2), id)
}

// candidateID returns the id in the key of a candidate record, and false for any other key.
func (k *keys) candidateID(key []byte) (string, bool) {
	r, ok := record.Shaped(key, k.candidates, subspace.KindString)
	if !ok {
		return "", false
	}
	id := r.Text()
	return id, r.Err() == nil && validateID(id) == nil
}

// rankOf returns the key of a ready voter in the rank index, which sorts by descending
// priority, then by the time since when the voter is ready. If that versionstamp is
// incomplete, it is a template for SetVersionstampedKey.
func (k *keys) rankOf(c *Candidate) []byte {
	key := record.Grow(k.rank, len(c.ID)+32)
	key = subspace.AppendInt(key, -int64(c.Priority))
	stampAt := len(key) + 1
	key = subspace.AppendVersionstamp(key, c.ReadySince)
	key = subspace.AppendString(key, c.ID)
	if c.ReadySince.Incomplete() {
		key = record.AppendOffset(key, stampAt)
	}
	return key
}

// ranked is the inverse of rankOf. It returns false for a key that is not in the rank index.
func (k *keys) ranked(key []byte) (ranked RankEntry, ok bool, err error) {
	r, ok := record.Shaped(key, k.rank, subspace.KindInteger, subspace.KindVersionstamp, subspace.KindString)
	if !ok {
		return RankEntry{}, false, nil
	}
	negated := r.Int64()
	ranked = RankEntry{Priority: int32(-negated), Versionstamp: r.Versionstamp(), ID: r.Text()}
	err = r.Err()
	if err == nil && int64(ranked.Priority) != -negated {
		err = fmt.Errorf("priority %d is out of range", -negated)
	}
	if err != nil {
		return RankEntry{}, true, err
	}
	return ranked, true, nil
}

// event returns the key of a history entry.
func (k *keys) event(term uint64, kind EventKind) []byte {
	return subspace.AppendInt(k.firstEvent(term), int64(kind))
}

// firstEvent returns the first key of the history of a term.
func (k *keys) firstEvent(term uint64) []byte {
	return subspace.AppendUint(record.Grow(k.history, 11), term)
}
