package election

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/fdbelection/fdbelection/subspace"
)

// keys holds the fixed keys of an election, and the prefixes of the others.
type keys struct {
	space                        subspace.Subspace
	config, leader, term, intent []byte
	candidates, rank, history    []byte
}

func newKeys(space subspace.Subspace) keys {
	named := func(name string) []byte {
		key := subspace.AppendString(space.Bytes(), name)
		return slices.Clip(key) // whoever appends to it gets a copy
	}
	return keys{
		space:  space,
		config: named("config"), leader: named("leader"), term: named("term"), intent: named("intent"),
		candidates: named("candidates"), rank: named("rank"), history: named("history"),
	}
}

// candidate returns the key of the record of id.
func (k *keys) candidate(id string) []byte {
	return subspace.AppendString(grow(k.candidates, len(id)+2), id)
}

// candidateID returns the id in the key of a candidate record, and false for a
// key that is none.
func (k *keys) candidateID(key []byte) (string, bool) {
	r, ok := shaped(key, k.candidates, subspace.KindString)
	if !ok {
		return "", false
	}
	id := r.Text()
	return id, r.Err() == nil && validateID(id) == nil
}

// rankOf returns the key that ranks a voter: higher priorities first, then
// earlier registrations. A pending stamp makes it a template for
// SetVersionstampedKey.
func (k *keys) rankOf(c *Candidate) []byte {
	key := grow(k.rank, len(c.ID)+32)
	key = subspace.AppendInt(key, -int64(c.Priority))
	stampAt := len(key) + 1
	key = subspace.AppendVersionstamp(key, c.Versionstamp)
	key = subspace.AppendString(key, c.ID)
	if c.Versionstamp.Incomplete() {
		key = appendOffset(key, stampAt)
	}
	return key
}

// ranked is the inverse of rankOf; it returns false for a key that is not of the
// rank index.
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

// event returns the key of a history entry; firstEvent the first key of a term.
func (k *keys) event(term uint64, kind EventKind) []byte {
	return subspace.AppendInt(k.firstEvent(term), int64(kind))
}

func (k *keys) firstEvent(term uint64) []byte {
	return subspace.AppendUint(grow(k.history, 11), term)
}

// The type codes of the tuple layer that begin an element of a kind, and the
// first one after them.
const (
	textCode, afterText       = 0x02, 0x03
	integerCode, afterInteger = 0x0b, 0x1e
	zeroCode                  = 0x14
)

// below returns the range of the keys below a prefix whose next element begins
// with a type code from first to before after. Other elections may live below the
// same prefix: what is read there has to be checked with shaped.
func below(prefix []byte, first, after byte) (begin, end []byte) {
	return append(grow(prefix, 1), first), append(grow(prefix, 1), after)
}

// shaped opens what follows a prefix of a key, if that is one element of each kind
// and nothing else. Keys of another shape belong to others.
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

func grow(prefix []byte, extra int) []byte {
	return append(make([]byte, 0, len(prefix)+extra), prefix...)
}

// appendOffset ends the template of a versionstamped operation: the position
// of the stamp, 4 bytes, little-endian.
func appendOffset(dst []byte, at int) []byte {
	return append(dst, byte(at), byte(at>>8), byte(at>>16), byte(at>>24))
}
