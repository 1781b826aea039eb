package group

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/subspace"
)

// Kind is a kind of records of a group.
type Kind int

// The kinds of records that the log reports. Their numbers are stored.
const (
	KindConfig Kind = 1 + iota
	KindMember
	KindShard
	KindPin
	KindRequest
	KindDrain
)

// kindNames are the names of the kinds. For the kinds with one record per name, they are the
// second part of the keys.
var kindNames = [...]string{
	KindConfig: "config", KindMember: "members", KindShard: "shards", KindPin: "pins", KindRequest: "requests", KindDrain: "drains",
}

func (k Kind) known() bool { return k >= KindConfig && k <= KindDrain }

// String returns the name of the kind in the keys.
func (k Kind) String() string {
	if k.known() {
		return kindNames[k]
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// keys holds the fixed keys of a group, and the prefixes of the others.
type keys struct {
	space                        subspace.Subspace
	config, floor, bell, trimmed []byte
	beats, log                   []byte
	named                        [KindDrain + 1][]byte
}

func newKeys(space subspace.Subspace) keys {
	named := func(name string) []byte {
		return slices.Clip(subspace.AppendString(space.Bytes(), name)) // so that an append makes a copy
	}
	k := keys{
		space: space, config: named("group"), floor: named("floor"), bell: named("bell"), trimmed: named("trimmed"),
		beats: named("beats"), log: named("log"),
	}
	for kind := KindMember; kind <= KindDrain; kind++ {
		k.named[kind] = named(kind.String())
	}
	return k
}

// of returns the key of the record of a kind and a name.
func (k *keys) of(kind Kind, name string) []byte {
	if kind == KindConfig {
		return k.config
	}
	return under(k.named[kind], name)
}

func (k *keys) beat(id string) []byte { return under(k.beats, id) }

func under(prefix []byte, name string) []byte {
	return subspace.AppendString(record.Grow(prefix, len(name)+2), name)
}

// nameIn returns the name in a key below a prefix, and false for a key of another shape.
func nameIn(key, prefix []byte) (string, bool) {
	r, ok := record.Shaped(key, prefix, subspace.KindString)
	if !ok {
		return "", false
	}
	name := r.Text()
	return name, r.Err() == nil && record.NameProblem(name) == ""
}

// entry returns the template of the key of a log entry, for SetVersionstampedKey.
func (k *keys) entry(kind Kind, name string) []byte {
	key := record.Grow(k.log, len(name)+24)
	stampAt := len(key) + 1
	key = subspace.AppendVersionstamp(key, subspace.IncompleteVersionstamp(0))
	key = subspace.AppendInt(key, int64(kind))
	key = subspace.AppendString(key, name)
	return record.AppendOffset(key, stampAt)
}

// firstEntry returns the first key of the log after all entries of a commit version.
func (k *keys) firstEntry(after int64) []byte {
	stamp := subspace.Versionstamp{}
	binary.BigEndian.PutUint64(stamp.Transaction[:8], uint64(after)+1)
	return subspace.AppendVersionstamp(record.Grow(k.log, 13), stamp)
}

// version returns the commit version in a key in the range of the log. The rest of the key may
// have any shape. In a key that ends before, the missing bytes are zero, so versions are in the
// order of the keys.
func (k *keys) version(key []byte) int64 {
	var version [8]byte
	copy(version[:], key[len(k.log)+1:])
	return int64(min(binary.BigEndian.Uint64(version[:]), math.MaxInt64))
}

// change returns what the key of a log entry says, and false for a key of another shape.
func (k *keys) change(key []byte) (Change, bool) {
	r, ok := record.Shaped(key, k.log, subspace.KindVersionstamp, subspace.KindInteger, subspace.KindString)
	if !ok {
		return Change{}, false
	}
	c := Change{Stamp: r.Versionstamp()}
	c.Kind, c.Name = Kind(r.Int64()), r.Text()
	named := record.NameProblem(c.Name) == ""
	if c.Kind == KindConfig {
		named = c.Name == ""
	}
	return c, r.Err() == nil && c.Kind.known() && named
}

// checkName returns an error that says what is wrong with the name of a shard or a member.
func checkName(what, name string) error {
	if problem := record.NameProblem(name); problem != "" {
		return fmt.Errorf("%w: %s %s", ErrInvalidName, what, problem)
	}
	return nil
}
