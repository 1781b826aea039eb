package balance

import (
	"cmp"
	"hash/fnv"
)

// None is the index that stands for no member.
const None = -1

// Member is a member of the group, as far as the plan depends on it.
type Member struct {
	ID       string
	Weight   int32 // relative share; 0 or less: none, so that it leads only what is pinned to it
	Capacity int32 // most shards it may lead; 0 or less: no limit
	Ready    bool
	Draining bool // it leaves, or an operator drains it: it receives nothing, and its shards go elsewhere
}

// Shard is a shard. Leader and Pin are indexes into the members. An index out of range counts
// as None.
type Shard struct {
	Name   string
	Rank   uint64 // Rank(Name)
	Leader int32  // the present member that leads it, or None if it is free
	Pin    int32  // the present member to which it is pinned, or None
}

// Rank is the hash by which members and shards are ordered. Every process must compute the same
// value: FNV-1a with 64 bits over the bytes of the name, and then the finalizer of MurmurHash3
// (fmix64). FNV alone would order names that differ only at the end by that end.
func Rank(name string) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name)) // never fails
	rank := hash.Sum64()
	rank ^= rank >> 33
	rank *= 0xff51afd7ed558ccd
	rank ^= rank >> 33
	rank *= 0xc4ceb9fe1a85ec53
	return rank ^ rank>>33
}

// Compare orders two shards, or two members, by rank and then by name. It returns -1, 0 or 1.
func Compare(rankA uint64, nameA string, rankB uint64, nameB string) int {
	return cmp.Or(cmp.Compare(rankA, rankB), cmp.Compare(nameA, nameB))
}
