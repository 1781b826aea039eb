package balance

// claimants is a binary heap of the members whose quota may rise. The one that is next comes
// first. It is not container/heap, whose interface needs a Push that nothing here calls.
type claimants []*member

// order makes a heap of members in any order.
func (c claimants) order() {
	for at := len(c)/2 - 1; at >= 0; at-- {
		c.sink(at)
	}
}

// raise raises the quota of the first member. A member that has reached its limit drops out.
func (c *claimants) raise() {
	first := (*c)[0]
	first.quota++
	if first.quota == first.limit {
		last := len(*c) - 1
		(*c)[0] = (*c)[last]
		*c = (*c)[:last]
	}
	c.sink(0)
}

// sink moves a member down until no member below it comes before it.
func (c claimants) sink(at int) {
	for {
		next := at
		for below := 2*at + 1; below <= 2*at+2 && below < len(c); below++ {
			if c[below].before(c[next]) {
				next = below
			}
		}
		if next == at {
			return
		}
		c[at], c[next] = c[next], c[at]
		at = next
	}
}

// before reports whether the quota of m rises before that of n. The products fit: a quota is
// below 2^31, so twice the quota is below 2^32, and a weight is below 2^31.
func (m *member) before(n *member) bool {
	left, right := (2*uint64(m.quota)+1)*n.weight, (2*uint64(n.quota)+1)*m.weight
	if left != right {
		return left < right
	}
	if over := m.holds > m.quota; over != (n.holds > n.quota) {
		return over // a boolean: the number of shards above the quota changes as shards move
	}
	return m.order < n.order
}
