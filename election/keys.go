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

// candidateID returns the id in the key of a candidate record.
func (k *keys) candidateID(key []byte) (string, error) {
	r, err := reader(key, k.candidates)
	if err != nil {
		return "", err
	}
	id := r.Text()
	return id, closed(&r)
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

// ranked is the inverse of rankOf.
func (k *keys) ranked(key []byte) (Ranked, error) {
	r, err := reader(key, k.rank)
	if err != nil {
		return Ranked{}, err
	}
	negated := r.Int64()
	ranked := Ranked{Versionstamp: r.Versionstamp(), ID: r.Text()}
	if err := closed(&r); err != nil {
		return Ranked{}, err
	}
	if ranked.Priority = int32(-negated); int64(ranked.Priority) != -negated {
		return Ranked{}, fmt.Errorf("priority %d is out of range", -negated)
	}
	return ranked, nil
}

// event returns the key of a history entry; firstEvent the first key of a term.
func (k *keys) event(term uint64, kind EventKind) []byte {
	return subspace.AppendInt(k.firstEvent(term), int64(kind))
}

func (k *keys) firstEvent(term uint64) []byte {
	return subspace.AppendUint(grow(k.history, 11), term)
}

// within returns the range of the keys below a prefix.
func within(prefix []byte) (begin, end []byte) {
	return append(grow(prefix, 1), 0x00), append(grow(prefix, 1), 0xFF)
}

func grow(prefix []byte, extra int) []byte {
	return append(make([]byte, 0, len(prefix)+extra), prefix...)
}

// reader opens what follows a prefix of a key.
func reader(key, prefix []byte) (subspace.Reader, error) {
	if !bytes.HasPrefix(key, prefix) {
		return subspace.Reader{}, fmt.Errorf("key is not below its prefix")
	}
	return subspace.NewReader(key[len(prefix):]), nil
}

// closed returns what is wrong after the last element of a key was read.
func closed(r *subspace.Reader) error {
	if err := r.Err(); err != nil {
		return err
	}
	if r.More() {
		return fmt.Errorf("key has more elements than expected")
	}
	return nil
}

// appendOffset ends the template of a versionstamped operation: the position
// of the stamp, 4 bytes, little-endian.
func appendOffset(dst []byte, at int) []byte {
	return append(dst, byte(at), byte(at>>8), byte(at>>16), byte(at>>24))
}
