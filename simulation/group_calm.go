package simulation

import (
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/balance"
)

// slow is the longest that a duration lasts on the clock of a process.
func (w *groupWorld) slow(d time.Duration) time.Duration {
	return d + time.Duration(2*float64(d)*float64(w.maxPPM)/1e6)
}

// longestWait is how long the group may take to recover beyond the usual: for sessions with a
// longer lease, and for hold-offs after failed work.
func (w *groupWorld) longestWait() time.Duration {
	lease := w.lease
	for _, b := range w.beats {
		lease = max(lease, b.Lease)
	}
	wait := 3 * w.slow(lease)
	for _, until := range w.holdOffs {
		wait = max(wait, until-w.now+w.lease)
	}
	return wait
}

// misplaced returns the shards whose leader is not the one of the plan, and whether all of them
// wait for the delay of their next move.
func (w *groupWorld) misplaced() (names []string, waiting bool) {
	p := w.planOf()
	waiting = true
	for i, s := range p.shards {
		target := p.targets[i]
		if target == balance.None || target == p.input[i].Leader || p.damaged[s.Name] {
			continue
		}
		names = append(names, s.Name)
		delay := w.slow(w.config.SettleDelay<<min(s.Moves, 10)) + w.config.HeartbeatInterval
		waiting = waiting && p.input[i].Leader != balance.None && s.Moves > 0 && w.now-w.began[s.Name] < delay
	}
	return names, waiting
}

// groupPlan is the plan of rule 12 for the stored records.
type groupPlan struct {
	members []balance.Member
	shards  []group.Shard
	input   []balance.Shard
	targets []int32
	pins    bool // there are pins or drains, or shards that cannot be read
	damaged map[string]bool
}

func (w *groupWorld) planOf() *groupPlan {
	p := &groupPlan{damaged: map[string]bool{}}
	index := map[string]int32{}
	for _, one := range sortedRecords(w.rows) {
		row := w.rows[one]
		if one.kind == group.KindMember {
			index[one.name] = int32(len(p.members))
			m := balance.Member{ID: one.name}
			if row.Member != nil {
				m.Weight, m.Capacity, m.Ready, m.Draining = row.Member.Weight, row.Member.Capacity, row.Member.Ready(), row.Member.Draining
			}
			if drained := w.rows[groupRecord{group.KindDrain, one.name}]; drained.Kind != 0 {
				m.Draining, p.pins = true, true
			}
			p.members = append(p.members, m)
		}
	}
	for _, one := range sortedRecords(w.rows) {
		row := w.rows[one]
		if one.kind != group.KindShard {
			continue
		}
		s := group.Shard{Name: one.name}
		if row.Shard != nil {
			s = *row.Shard
		} else {
			p.damaged[one.name], p.pins = true, true
		}
		p.shards = append(p.shards, s)
	}
	slices.SortFunc(p.shards, func(a, b group.Shard) int {
		return balance.Compare(balance.Rank(a.Name), a.Name, balance.Rank(b.Name), b.Name)
	})
	for _, s := range p.shards {
		in := balance.Shard{Name: s.Name, Rank: balance.Rank(s.Name), Leader: balance.None, Pin: balance.None}
		if i, ok := index[s.Leader.ID]; ok && livesIn(w.rows, s.Leader) {
			in.Leader = i
		}
		if pin := w.rows[groupRecord{group.KindPin, s.Name}]; pin.Pin != "" {
			p.pins = true
			if i, ok := index[pin.Pin]; ok {
				in.Pin = i
			}
		}
		p.input = append(p.input, in)
	}
	p.targets = balance.Plan(p.members, p.input)
	return p
}

// spread is the difference between the highest and the lowest number of shards of a member.
func (p *groupPlan) spread() int {
	counts := make([]int, len(p.members))
	for _, s := range p.input {
		if s.Leader != balance.None {
			counts[s.Leader]++
		}
	}
	if len(counts) == 0 {
		return 0
	}
	return slices.Max(counts) - slices.Min(counts)
}

// leaderOf returns the process that finds that it leads a shard, or nil.
func (w *groupWorld) leaderOf(s *group.Shard) *groupProcess {
	for _, p := range w.live {
		if p.machine.Leads(s.Token()) && p.runs[s.Name] != nil {
			return p
		}
	}
	return nil
}

// unled returns the shards that should be led and that no process leads.
func (w *groupWorld) unled() (names []string) {
	p := w.planOf()
	for i := range p.shards {
		if p.targets[i] != balance.None && !p.damaged[p.shards[i].Name] && w.leaderOf(&p.shards[i]) == nil {
			names = append(names, p.shards[i].Name)
		}
	}
	return names
}

// playCalm checks that the group has recovered from the faults, that it is quiet then, and that
// it meets one more event as it should.
func (w *groupWorld) playCalm() {
	w.checkProgress("after the faults")
	_, waiting := w.misplaced()
	w.run(w.now+w.config.HeartbeatInterval, w.failed)
	names, stillWaiting := w.misplaced()
	if w.failed() {
		return
	}
	if len(names) > 0 {
		if !waiting || !stillWaiting {
			w.violated(invGroupBalance, "%v are not led by the members of the plan", names)
		}
		w.situation("moves wait for their delay")
		return
	}
	plan := w.planOf()
	if spread := plan.spread(); w.even && !plan.pins && spread > 1 {
		w.violated(invGroupBalance, "the spread is %d", spread)
	}
	w.checkQuiet()
	if w.failed() || len(w.live) == 0 {
		return
	}
	w.playLastEvent(plan)
}

// checkProgress is invariant 43: in calm every shard is led, but for the time of a move.
func (w *groupWorld) checkProgress(when string) {
	if len(w.unled()) > 0 {
		w.run(w.now+w.config.HeartbeatInterval, func() bool { return w.failed() || len(w.unled()) == 0 })
	}
	if names := w.unled(); len(names) > 0 {
		states := make([]string, 0, len(w.live))
		for _, p := range w.live {
			states = append(states, p.name+" "+p.machine.State().String())
		}
		w.violated(invGroupProgress, "%s, %v are not led (%v)", when, names, states)
	}
}

// checkQuiet is invariant 45: in calm nothing is written but one beat per member and heartbeat.
func (w *groupWorld) checkQuiet() {
	const beats = 6
	w.beginCalm()
	w.run(w.now+beats*w.config.HeartbeatInterval, w.failed)
	for i := range w.changes {
		c := &w.changes[i]
		w.violated(invGroupCalm, "in calm %s changed %s %s", c.by, c.kind, c.name)
	}
	for _, h := range w.hosts {
		if n := w.counts[h.id]; n > beats+2 || n < beats-2 && memberIn(w.rows, h.id) != nil {
			w.violated(invGroupCalm, "%s wrote %d heartbeats in %d", h.id, n, beats)
		}
	}
	w.situation("calm")
	if len(w.planOf().damaged) > 0 {
		w.situation("calm beside a shard that cannot be read")
	}
}

func (w *groupWorld) beginCalm() {
	w.calm, w.changes = true, nil
	clear(w.counts)
}

// playLastEvent plays one event in a group that is calm: invariants 44 and 46.
func (w *groupWorld) playLastEvent(before *groupPlan) {
	random := stream(w.opts.Seed, 10)
	simple := w.even && !before.pins && !w.requestToCome(before) && !slices.ContainsFunc(before.shards, func(s group.Shard) bool { return s.Moves > 2 })
	w.beginCalm()
	tenures := map[string]group.Shard{}
	for _, s := range before.shards {
		tenures[s.Name] = s
	}
	members := slices.DeleteFunc(slices.Clone(w.live), func(p *groupProcess) bool { return p.host.observer })
	if len(members) == 0 {
		return
	}
	bound := w.slow(w.lease) + 3*w.config.HeartbeatInterval + w.slow(8*w.config.SettleDelay)
	one := members[random.IntN(len(members))]
	switch play := random.IntN(4); {
	case play == 0 && simple:
		w.lastJoin(random.Int64(), before, bound)
	case play == 1 && len(members) > 1 && simple:
		one.crash()
		w.run(w.now+bound, w.failed)
		w.checkOnly(tenures, one.host.id, "death")
		w.checkProgress("after a death")
	case play == 2:
		w.takeAway(w.allPlaces(), w.lease+time.Duration(random.Int64N(int64(2*w.lease))), random.IntN(outageKinds))
		w.run(w.now+3*w.lease+2*w.lease, w.failed)
		for i := range w.changes {
			w.violated(invGroupOutage, "an outage that all survived changed %s %s", w.changes[i].kind, w.changes[i].name)
		}
		w.checkProgress("after an outage")
		w.situation("nothing moved in an outage")
	case len(members) > 1 && simple:
		one.leave()
		w.run(w.now+bound, w.failed)
		w.checkOnly(tenures, one.host.id, "stop")
		for i := range w.changes {
			if s := w.changes[i].after.Shard; s != nil && s.Vacant() {
				w.violated(invGroupBalance, "a planned stop left %s vacant", s)
			}
		}
		w.checkProgress("after a stop")
		w.situation("planned stop without a vacancy")
	}
}

// requestToCome reports whether a request of an operator is stored for a later tenure of a shard.
// A fault has deleted the shard meanwhile, and it began again with a lower term.
func (w *groupWorld) requestToCome(before *groupPlan) bool {
	return slices.ContainsFunc(before.shards, func(s group.Shard) bool {
		request := w.rows[groupRecord{group.KindRequest, s.Name}].Request
		return request != nil && request.Term > s.Term
	})
}

// checkOnly is a part of invariant 44: only the shards of one member have moved, and each of
// them once.
func (w *groupWorld) checkOnly(before map[string]group.Shard, id, what string) {
	for i := range w.changes {
		s := w.changes[i].after.Shard
		if s == nil {
			continue
		}
		if was := before[s.Name]; was.Leader.ID != id || s.Term > was.Term+1 {
			w.violated(invGroupBalance, "the %s of %s moved %s, which was %s", what, id, s, &was)
		}
	}
	w.situation("only the shards of one member moved: " + what)
}

// lastJoin adds a member: invariant 44. It gets the shards of one share, and nothing else moves.
func (w *groupWorld) lastJoin(seed int64, before *groupPlan, bound time.Duration) {
	h := &groupHost{place: place{id: "joiner"}, column: 0, weight: 1, random: stream(uint64(seed), 1)}
	h.clocks = w.newClocksFrom(stream(uint64(seed), 2))
	w.hosts = append(w.hosts, h)
	h.column = len(w.hosts) - 1
	h.start(w, h.clocks)
	w.run(w.now+bound, w.failed)
	moved := 0
	for i := range w.changes {
		if s := w.changes[i].after.Shard; s != nil {
			moved++
			if s.Leader.ID != h.id {
				w.violated(invGroupBalance, "a join moved %s", s)
			}
		}
	}
	if share := len(before.shards) / (len(before.members) + 1); moved != share {
		w.violated(invGroupBalance, "a join moved %d shards, a share is %d", moved, share)
	}
	w.checkProgress("after a join")
	w.situation("join moved one share")
}
