package balance

import "slices"

// undecided marks a shard that has no target yet.
const undecided = -2

// Plan returns for each shard the index of the member that should lead it. It returns None for a
// free shard that no member can take. A shard that has a leader never gets None: if no other
// member can take it, it stays.
//
// The shards must be sorted by Compare, and the ids of the members must differ. The order of
// the members does not change the plan. A change of this function that changes any plan needs
// a new balance version, since all processes must compute the same.
//
// The moves that member i makes are those of the shards with Leader i and another target. The
// free shards that it claims are those with the target i. The time it takes is proportional to
// the number of shards, times the logarithm of the number of members.
func Plan(members []Member, shards []Shard) []int32 {
	p := plan{shards: shards, members: make([]member, len(members)), target: make([]int32, len(shards))}
	p.rank(members)
	p.placeFixed()
	p.scarce = p.isScarce()
	p.placePins()
	if !p.scarce {
		p.raiseQuotas()
	}
	p.keep()
	if p.scarce {
		p.choose()
	}
	p.fill()
	return p.target
}

// plan is a plan in the making.
type plan struct {
	shards  []Shard
	target  []int32  // for each shard: a member, None, or undecided
	members []member // by the indexes of the caller
	ranked  []int32  // indexes of the members in rank order
	movable int      // shards that are not bound to a member that is not ready
	scarce  bool     // the capacities of the eligible members do not suffice
}

// member is a member while a plan is made.
type member struct {
	usable bool // ready and not draining
	stays  bool // neither ready nor draining: its shards stay where they are
	order  int  // its position in rank order
	weight uint64
	limit  int // its capacity, or the number of shards, which it cannot exceed
	pinned int // movable shards that are pinned to it
	holds  int // pins it receives, and other movable shards that it leads
	quota  int // how many shards it gets; before raiseQuotas its limit
	load   int // how many shards have it as their target
}

// eligible reports whether the member may receive shards that are not pinned to it.
func (m *member) eligible() bool { return m.usable && m.weight > 0 }

// rank prepares the members.
func (p *plan) rank(members []Member) {
	ranks := make([]uint64, len(members))
	p.ranked = make([]int32, len(members))
	for i, m := range members {
		ranks[i], p.ranked[i] = Rank(m.ID), int32(i)
		limit := len(p.shards)
		if m.Capacity > 0 {
			limit = min(limit, int(m.Capacity))
		}
		p.members[i] = member{
			usable: m.Ready && !m.Draining, stays: !m.Ready && !m.Draining,
			weight: uint64(max(m.Weight, 0)), limit: limit, quota: limit,
		}
	}
	slices.SortStableFunc(p.ranked, func(a, b int32) int { return Compare(ranks[a], members[a].ID, ranks[b], members[b].ID) })
	for at, i := range p.ranked {
		p.members[i].order = at
	}
}

// leader returns the index of the leader of a shard, or None.
func (p *plan) leader(s *Shard) int32 { return p.index(s.Leader) }

// pin returns the index of the member to which a shard is pinned, or None if that member is
// not usable. The member may be full.
func (p *plan) pin(s *Shard) int32 {
	if i := p.index(s.Pin); i != None && p.members[i].usable {
		return i
	}
	return None
}

func (p *plan) index(i int32) int32 {
	if i < 0 || int(i) >= len(p.members) {
		return None
	}
	return i
}

// give gives a shard to a member that has not reached its quota. It reports whether it did.
func (p *plan) give(shard int, to int32) bool {
	m := &p.members[to]
	if m.load >= m.quota {
		return false
	}
	m.load++
	p.target[shard] = to
	return true
}

// placeFixed places the shards of members that are not ready, and the pins that are in place.
func (p *plan) placeFixed() {
	for i := range p.shards {
		leader, pin := p.leader(&p.shards[i]), p.pin(&p.shards[i])
		p.target[i] = undecided
		if leader != None && p.members[leader].stays {
			p.target[i] = leader
			continue
		}
		p.movable++
		if pin != None {
			p.members[pin].pinned++
			if pin == leader {
				p.give(i, pin)
			}
		}
	}
}

// isScarce reports whether the eligible members have too little capacity for the movable shards
// that members of weight 0 do not receive as pins. No move of a plan changes the result.
func (p *plan) isScarce() bool {
	missing := p.movable
	for i := range p.members {
		m := &p.members[i]
		switch {
		case !m.usable:
		case m.weight == 0:
			missing -= min(m.pinned, m.limit)
		default:
			missing -= m.limit
		}
	}
	return missing > 0
}

// placePins places the pins that are not in place, and counts what each member holds. If
// capacity is scarce, it places only pins to members that cannot become full, since any other
// could take the place of a shard that has no other place.
func (p *plan) placePins() {
	for i := range p.shards {
		if p.target[i] != undecided {
			continue
		}
		pin := p.pin(&p.shards[i])
		if pin != None && (!p.scarce || p.members[pin].limit == len(p.shards)) && p.give(i, pin) {
			continue
		}
		if leader := p.leader(&p.shards[i]); leader != None {
			p.members[leader].holds++
		}
	}
	for i := range p.members {
		p.members[i].holds += p.members[i].load
	}
}

// raiseQuotas shares the shards out that are not placed yet. Each usable member has its pins.
func (p *plan) raiseQuotas() {
	missing := p.movable
	var below claimants
	for i := range p.members {
		m := &p.members[i]
		if !m.usable {
			continue
		}
		missing -= m.load
		m.quota = m.load
		if m.eligible() && m.quota < m.limit {
			below = append(below, m)
		}
	}
	below.order()
	for range missing {
		below.raise()
	}
}

// keep leaves shards with their usable leaders, in shard order, up to the quotas.
func (p *plan) keep() {
	for i := range p.shards {
		if leader := p.leader(&p.shards[i]); p.target[i] == undecided && leader != None && p.members[leader].usable {
			p.give(i, leader)
		}
	}
}

// need is why a shard needs another leader, the most urgent reason first.
type need int

const (
	free     need = iota // it has no leader
	draining             // its leader drains
	surplus              // its leader leads more shards than its capacity
)

// need returns why a shard is not decided after keep.
func (p *plan) need(s *Shard) need {
	switch leader := p.leader(s); {
	case leader == None:
		return free
	case p.members[leader].usable:
		return surplus
	default:
		return draining
	}
}

// choose decides which shards find room although there is too little. It leaves these
// undecided, unless the member to which they are pinned has room. All others stay as they are.
func (p *plan) choose() {
	room := 0
	for i := range p.members {
		if m := &p.members[i]; m.eligible() {
			room += m.quota - m.load
		}
	}
	for now := free; now <= surplus; now++ {
		for i := range p.shards {
			s := &p.shards[i]
			if p.target[i] != undecided || p.need(s) != now {
				continue
			}
			pin := p.pin(s)
			switch {
			case pin != None && p.members[pin].weight == 0 && p.give(i, pin):
			case room == 0:
				p.target[i] = p.leader(s)
			default:
				room--
				if pin != None {
					p.give(i, pin)
				}
			}
		}
	}
}

// fill gives each eligible member a contiguous block of the shards that are still undecided.
// The quotas cover exactly these.
func (p *plan) fill() {
	at := 0
	for i, target := range p.target {
		if target != undecided {
			continue
		}
		for !p.members[p.ranked[at]].eligible() || !p.give(i, p.ranked[at]) {
			at++
		}
	}
}
