package election

import (
	"bytes"
	"fmt"
	"slices"

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
	return subspace.AppendString(grow(k.candidates, len(id)+2), id)
}

// candidateID returns the id in the key of a candidate record, and false for any other key.
func (k *keys) candidateID(key []byte) (string, bool) {
	r, ok := shaped(key, k.candidates, subspace.KindString)
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
	key := grow(k.rank, len(c.ID)+32)
	key = subspace.AppendInt(key, -int64(c.Priority))
	stampAt := len(key) + 1
	key = subspace.AppendVersionstamp(key, c.ReadySince)
	key = subspace.AppendString(key, c.ID)
	if c.ReadySince.Incomplete() {
		key = appendOffset(key, stampAt)
	}
	return key
}

// ranked is the inverse of rankOf. It returns false for a key that is not in the rank index.
func (k *keys) ranked(key []byte) (ranked RankEntry, ok bool, err error) {
	r, ok := shaped(key, k.rank, subspace.KindInteger, subspace.KindVersionstamp, subspace.KindString)
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
	return subspace.AppendUint(grow(k.history, 11), term)
}

// The first type code of the tuple layer for each kind of element, and the first one after
// that kind.
const (
	textCode, afterText       = 0x02, 0x03
	integerCode, afterInteger = 0x0b, 0x1e
	zeroCode                  = 0x14
)

// below returns the range of the keys below a prefix whose next element has a type code of
// at least first and less than after. The range may also contain keys of other elections,
// so check each key with shaped.
func below(prefix []byte, first, after byte) (begin, end []byte) {
	return append(grow(prefix, 1), first), append(grow(prefix, 1), after)
}

// shaped returns a reader of the elements after a prefix of a key, if these have exactly the
// given kinds. A key of another shape does not belong to the election.
func shaped(key, prefix []byte, kinds ...subspace.Kind) (subspace.Reader, bool) {
	if !bytes.HasPrefix(key, prefix) {
		return subspace.Reader{}, false
	}
	r := subspace.NewReader(key[len(prefix):])
	check := r
	for _, kind := range kinds {
		if check.Peek() != kind {
			return subspace.Reader{}, false
		}
		check.Skip()
	}
	return r, check.Err() == nil && !check.More()
}

// grow returns a copy of prefix with room for extra bytes.
func grow(prefix []byte, extra int) []byte {
	return append(make([]byte, 0, len(prefix)+extra), prefix...)
}

// appendOffset completes the template of a versionstamped operation with the position of
// the stamp, in 4 bytes, little-endian.
func appendOffset(dst []byte, at int) []byte {
	return append(dst, byte(at), byte(at>>8), byte(at>>16), byte(at>>24))
}
