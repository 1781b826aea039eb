package balance

// claimants is a heap of the members whose quota may rise. The one that is next comes first.
type claimants []*member

func (c claimants) Len() int           { return len(c) }
func (c claimants) Less(i, j int) bool { return c[i].before(c[j]) }
func (c claimants) Swap(i, j int)      { c[i], c[j] = c[j], c[i] }

// Push adds a member.
func (c *claimants) Push(m any) { *c = append(*c, m.(*member)) }

// Pop removes the last member.
func (c *claimants) Pop() any {
	last := len(*c) - 1
	m := (*c)[last]
	*c = (*c)[:last]
	return m
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
