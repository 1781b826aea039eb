package client

// arenaBlock is the size of an arena's blocks in bytes.
const arenaBlock = 768

// arena allocates the copies of a transaction's keys and values, many in one block.
// A block lives as long as anything refers to it.
type arena struct {
	block []byte
}

// take returns n zeroed bytes.
func (a *arena) take(n int) []byte {
	if n > arenaBlock/2 {
		return make([]byte, n)
	}
	if cap(a.block)-len(a.block) < n {
		a.block = make([]byte, 0, arenaBlock)
	}
	at := len(a.block)
	a.block = a.block[:at+n]
	return a.block[at : at+n : at+n]
}

// clone returns a copy of b. The copy is never nil.
func (a *arena) clone(b []byte) []byte {
	c := a.take(len(b))
	copy(c, b)
	return c
}

// point returns the range that contains only key. Both bounds are copies.
func (a *arena) point(key []byte) Range {
	n := len(key)
	end := a.take(n + 1)
	copy(end, key)
	end[n] = 0
	return Range{Begin: end[:n:n], End: end}
}
