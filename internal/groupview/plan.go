package groupview

import (
	"fmt"
	"slices"
	"strings"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/balance"
	"github.com/fdbelection/fdbelection/internal/mirror"
)

// Move is a shard that the balance gives to another member.
type Move struct {
	Shard *mirror.Shard
	// From is the live leader. It has no ID if the shard is free.
	From, To election.Identity
	Reason   string
}

// Kept are shards that do not move, for one reason.
type Kept struct {
	Reason string
	Shards []string
}

// Plan is what the balance would do now.
type Plan struct {
	Moves []Move
	Kept  []Kept
}

// planner makes a Plan.
type planner struct {
	*State
	members []balance.Member
	plan    Plan
	kept    map[string]int // index in plan.Kept, by reason
}

// Plan returns the moves that the members would make now, and the shards that an operator may
// expect to move and that do not. It returns an error if the members use a newer rule than
// this program.
func (st *State) Plan() (*Plan, error) {
	if lowest := st.lowestBalance(); lowest > group.BalanceVersion {
		return nil, fmt.Errorf("the members use version %d of the balance, and this program knows %d: use fdbelect of their version", lowest, group.BalanceVersion)
	}
	p := &planner{State: st, kept: make(map[string]int)}
	shards := st.Mirror.Shards()
	var input []balance.Shard
	p.members, input = st.Mirror.Balance()
	for i, target := range balance.Plan(p.members, input) {
		p.decide(shards[i], input[i], target)
	}
	for i := range p.plan.Kept {
		slices.Sort(p.plan.Kept[i].Shards)
	}
	slices.SortFunc(p.plan.Moves, func(a, b Move) int { return strings.Compare(a.Shard.Name, b.Shard.Name) })
	return &p.plan, nil
}

// lowestBalance returns the lowest version of the balance of any member, which all of them use. It
// is zero if there is no member whose record can be read.
func (st *State) lowestBalance() (lowest int32) {
	for _, id := range st.Mirror.MemberIDs() {
		if m := st.Mirror.Member(id); m != nil && (lowest == 0 || m.Balance < lowest) {
			lowest = m.Balance
		}
	}
	return lowest
}

// decide adds a shard to the moves, or to those that are kept.
func (p *planner) decide(s *mirror.Shard, in balance.Shard, target int32) {
	pin := p.Mirror.Pin(s.Name)
	switch {
	case s.Unreadable != nil:
		p.keep(s, "its record cannot be read")
		return
	case p.Config.Revision > 0 && !p.Config.Enabled:
		p.keep(s, "the group is disabled: every shard becomes vacant")
		return
	case p.Asked(s) == group.RemoveRequest:
		p.keep(s, "it is being removed")
		return
	}
	if pin != "" && (target == balance.None || p.members[target].ID != pin) {
		p.keep(s, "its pin has no effect: "+p.noPin(pin, in.Pin))
	}
	switch {
	case target == balance.None:
		p.keep(s, "it is free, and no ready member has room for it")
	case target != in.Leader:
		m := Move{Shard: s, To: p.Mirror.Member(p.members[target].ID).Identity, Reason: p.reason(in, target)}
		if in.Leader != balance.None {
			m.From = s.Leader
		}
		p.plan.Moves = append(p.plan.Moves, m)
	case pin == p.members[target].ID:
		p.keep(s, "it is pinned to its leader")
	case !p.members[target].Ready && !p.members[target].Draining:
		p.keep(s, "its leader is not ready, and keeps what it leads")
	case p.members[target].Draining:
		p.keep(s, "its leader drains, and no ready member has room for it")
	}
}

func (p *planner) keep(s *mirror.Shard, reason string) {
	i, known := p.kept[reason]
	if !known {
		i = len(p.plan.Kept)
		p.kept[reason] = i
		p.plan.Kept = append(p.plan.Kept, Kept{Reason: reason})
	}
	p.plan.Kept[i].Shards = append(p.plan.Kept[i].Shards, s.Name)
}

// noPin says why a pin has no effect.
func (p *planner) noPin(id string, at int32) string {
	safe := election.SafeText(id)
	switch {
	case at == balance.None:
		return "there is no member " + safe
	case p.members[at].Draining:
		return safe + " drains"
	case !p.members[at].Ready:
		return safe + " is not ready"
	default:
		return safe + " has no room, or the leader of the shard is not ready"
	}
}

// reason says why a shard moves to another member.
func (p *planner) reason(in balance.Shard, target int32) string {
	switch {
	case in.Pin == target:
		return group.ReasonPin.String()
	case in.Leader == balance.None:
		return "free"
	case p.members[in.Leader].Draining:
		return group.ReasonDrain.String()
	default:
		return group.ReasonBalance.String()
	}
}
