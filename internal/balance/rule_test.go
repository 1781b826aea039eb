package balance_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/fdbelection/fdbelection/internal/balance"
)

// tally is what a check of a plan counts for each member.
type tally struct {
	movable []int // the shards that are not bound to a member that is not ready
	found   []int // how many shards each member leads
	final   []int // how many shards each member gets
	pinned  []int // how many movable shards are pinned to each usable member
	scarce  bool  // the capacities do not suffice
}

func (w world) tally(plan []int32) tally {
	n := len(w.members)
	c := tally{found: make([]int, n), final: make([]int, n), pinned: make([]int, n)}
	for i, s := range w.shards {
		if s.Leader != balance.None {
			c.found[s.Leader]++
		}
		if plan[i] != balance.None {
			c.final[plan[i]]++
		}
		if !w.stays(s) {
			c.movable = append(c.movable, i)
			if pin := w.pin(s); pin != balance.None {
				c.pinned[pin]++
			}
		}
	}
	missing := len(c.movable)
	for i, m := range w.members {
		if eligible(m) {
			missing -= w.limit(i)
		} else {
			missing -= min(c.pinned[i], w.limit(i))
		}
	}
	c.scarce = missing > 0
	return c
}

// check checks a plan against the rule in the package comment.
func (w world) check(plan []int32) error {
	c := w.tally(plan)
	err := w.checkAlways(plan, c)
	if err == nil && c.scarce {
		err = w.checkScarce(plan, c)
	} else if err == nil {
		err = w.checkAmple(plan, c)
	}
	return w.explain(plan, err)
}

// explain adds the world and the plan to an error.
func (w world) explain(plan []int32, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w\nmembers %+v\nshards %+v\nplan %v", err, w.members, w.shards, plan)
}

// checkAlways checks what holds for every plan.
func (w world) checkAlways(plan []int32, c tally) error {
	for i := range w.members {
		if c.final[i] > max(w.limit(i), c.found[i]) {
			return fmt.Errorf("member %d gets more than its capacity", i)
		}
		if usable(w.members[i]) && c.final[i] > w.limit(i) && w.room(c) {
			return fmt.Errorf("member %d keeps too many shards, although another member has room", i)
		}
	}
	for i, s := range w.shards {
		to := plan[i]
		switch {
		case w.stays(s) && to != s.Leader:
			return fmt.Errorf("shard %d leaves a member that is not ready", i)
		case to == s.Leader:
		case to == balance.None:
			return fmt.Errorf("shard %d loses its leader", i)
		case !usable(w.members[to]):
			return fmt.Errorf("shard %d goes to a member that is not usable", i)
		case !eligible(w.members[to]) && s.Pin != to:
			return fmt.Errorf("shard %d goes to a member of weight 0", i)
		}
		unled := to == balance.None || !usable(w.members[to]) && !w.stays(s)
		if unled && w.room(c) {
			return fmt.Errorf("shard %d gets no usable leader, although a member has room", i)
		}
	}
	return nil
}

// room reports whether any eligible member gets fewer shards than its capacity.
func (w world) room(c tally) bool {
	for i, m := range w.members {
		if eligible(m) && c.final[i] < w.limit(i) {
			return true
		}
	}
	return false
}

// checkAmple checks a plan if the capacities suffice.
func (w world) checkAmple(plan []int32, c tally) error {
	pins := w.pinsReceived(c)
	received := map[int]bool{}
	for m, shards := range pins {
		for _, i := range shards {
			received[i] = true
			if plan[i] != int32(m) {
				return fmt.Errorf("shard %d does not go to member %d, to which it is pinned", i, m)
			}
		}
	}
	holds := make([]int, len(w.members))
	kept := make([]int, len(w.members))
	for m := range w.members {
		holds[m], kept[m] = len(pins[m]), len(pins[m])
	}
	quota := make([]int, len(w.members))
	for _, i := range c.movable {
		quota[plan[i]]++
	}
	var filled []int
	for _, i := range c.movable {
		if received[i] {
			continue
		}
		leader := w.shards[i].Leader
		if !w.ledByUsable(w.shards[i]) {
			filled = append(filled, i)
			continue
		}
		holds[leader]++
		if kept[leader] < quota[leader] {
			kept[leader]++
			if plan[i] != leader {
				return fmt.Errorf("shard %d does not stay, but member %d keeps a later one or receives others", i, leader)
			}
		} else {
			filled = append(filled, i)
		}
	}
	if err := w.checkBlocks(plan, filled); err != nil {
		return err
	}
	return w.checkQuotas(quota, holds, pins)
}

// pinsReceived returns the pins that each member receives if the capacities suffice.
func (w world) pinsReceived(c tally) [][]int {
	pins := make([][]int, len(w.members))
	for _, home := range []bool{true, false} {
		for _, i := range c.movable {
			s := w.shards[i]
			pin := w.pin(s)
			if pin != balance.None && (s.Leader == pin) == home && len(pins[pin]) < w.limit(int(pin)) {
				pins[pin] = append(pins[pin], i)
			}
		}
	}
	return pins
}

// checkBlocks checks that members receive contiguous blocks of the shards, in the order of
// members.
func (w world) checkBlocks(plan []int32, filled []int) error {
	for at, i := range filled {
		if !eligible(w.members[plan[i]]) {
			return fmt.Errorf("shard %d goes to a member that is not eligible", i)
		}
		if at == 0 {
			continue
		}
		last, next := w.members[plan[filled[at-1]]].ID, w.members[plan[i]].ID
		if balance.Compare(balance.Rank(last), last, balance.Rank(next), next) > 0 {
			return fmt.Errorf("shard %d breaks the order of the blocks", i)
		}
	}
	return nil
}

// allows reports whether the rule of Sainte-Laguë allows the quotas: no place above the pins of
// a member has a greater key than the next place of another member.
func (w world) allows(quota []int, pins [][]int) bool {
	for i := range w.members {
		for j := range w.members {
			if w.compare(quota, pins, i, j) > 0 {
				return false
			}
		}
	}
	return true
}

// compare compares the key of the last place of member i with that of the next place of member
// j. It returns -1 if there is not such a place.
func (w world) compare(quota []int, pins [][]int, i, j int) int {
	m, n := w.members[i], w.members[j]
	if i == j || quota[i] == len(pins[i]) || !eligible(n) || quota[j] == w.limit(j) {
		return -1
	}
	return cmp.Compare(int64(2*quota[i]-1)*int64(n.Weight), int64(2*quota[j]+1)*int64(m.Weight))
}

// checkQuotas checks that no place of a member should have been one of another member.
func (w world) checkQuotas(quota, holds []int, pins [][]int) error {
	if !w.allows(quota, pins) {
		return errors.New("the quotas do not fit the weights")
	}
	for i, m := range w.members {
		for j, n := range w.members {
			if w.compare(quota, pins, i, j) < 0 {
				continue
			}
			last, next := holds[i] >= quota[i], holds[j] > quota[j] // whether each place is preferred
			first := balance.Compare(balance.Rank(m.ID), m.ID, balance.Rank(n.ID), n.ID) < 0
			if next && !last || next == last && !first {
				return fmt.Errorf("member %d has a place that should be one of member %d", i, j)
			}
		}
	}
	return nil
}

// checkScarce checks a plan if the capacities do not suffice.
func (w world) checkScarce(plan []int32, c tally) error {
	kept := make([]int, len(w.members))
	firm := func(i int) bool {
		pin := w.pin(w.shards[i])
		return pin != balance.None && w.limit(int(pin)) == len(w.shards)
	}
	home := func(i int) bool { return w.pin(w.shards[i]) == w.shards[i].Leader }
	var left []int
	// What members keep: first the pins that are in place, then the others.
	for _, pins := range []bool{true, false} {
		for _, i := range c.movable {
			leader := w.shards[i].Leader
			switch {
			case firm(i):
				if pins && plan[i] != w.shards[i].Pin {
					return fmt.Errorf("shard %d does not go to the member without limit to which it is pinned", i)
				}
				if pins {
					kept[plan[i]]++
				}
			case w.ledByUsable(w.shards[i]) && pins != home(i):
			case w.ledByUsable(w.shards[i]) && kept[leader] < w.limit(int(leader)):
				kept[leader]++
				if plan[i] != leader {
					return fmt.Errorf("shard %d leaves member %d, which has room for it", i, leader)
				}
			case !pins:
				left = append(left, i)
			}
		}
	}
	slices.Sort(left)
	var blocks []int
	for _, i := range left {
		if s := w.shards[i]; plan[i] != s.Leader && plan[i] != w.pin(s) {
			blocks = append(blocks, i)
			if pin := w.pin(s); pin != balance.None && eligible(w.members[pin]) && c.final[pin] < w.limit(int(pin)) {
				return fmt.Errorf("shard %d does not go to member %d, to which it is pinned and which has room", i, pin)
			}
		}
	}
	if err := w.checkUrgency(plan, left); err != nil {
		return err
	}
	return w.checkBlocks(plan, blocks)
}

// checkUrgency checks that free shards come first, then those of draining members, and then
// the surplus of members above their capacity.
func (w world) checkUrgency(plan []int32, left []int) error {
	need := func(i int) int {
		switch s := w.shards[i]; {
		case s.Leader == balance.None:
			return 0
		case !w.ledByUsable(s):
			return 1
		}
		return 2
	}
	for _, i := range left {
		if plan[i] != w.shards[i].Leader {
			continue
		}
		for _, j := range left {
			if plan[j] == w.shards[j].Leader || !eligible(w.members[plan[j]]) {
				continue
			}
			if need(j) > need(i) || need(j) == need(i) && j > i {
				return fmt.Errorf("shard %d finds no room, but shard %d does", i, j)
			}
		}
	}
	return nil
}
