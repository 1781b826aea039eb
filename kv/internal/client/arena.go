package client

// arenaBlock is how many bytes an arena takes at a time.
const arenaBlock = 768

// arena keeps the copies of a transaction's keys and values, many to an
// allocation. They live as long as anything refers to the block.
type arena struct {
	block []byte
}

// take returns n fresh bytes.
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

// clone copies b; the copy is never nil.
func (a *arena) clone(b []byte) []byte {
	c := a.take(len(b))
	copy(c, b)
	return c
}

// point returns the range that holds key alone; both its bounds are copies.
func (a *arena) point(key []byte) Range {
	n := len(key)
	end := a.take(n + 1)
	copy(end, key)
	end[n] = 0
	return Range{Begin: end[:n:n], End: end}
}
