package simulation

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector/machine"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// checks is what the invariants remember.
type checks struct {
	uncheckedCommits []memkv.LogEntry
	last             election.State
	fenced           int
	sinkTerm         uint64
	disturbed        time.Duration // the last displacement that belief is excused for
	holders          map[uint64]election.Token
}

// committed looks at the records after every commit.
func (w *World) committed() {
	if len(w.uncheckedCommits) == 0 {
		return
	}
	commits := w.uncheckedCommits
	w.uncheckedCommits = nil
	state, err := kv.ReadTransact(context.Background(), w.db, w.election.ReadState)
	if err != nil {
		return // not initialised yet
	}
	before := w.last
	w.last = state
	for _, c := range commits {
		w.checkCommit(&c, &before, &state)
	}
}

func (w *World) checkCommit(c *memkv.LogEntry, before, after *election.State) {
	if after.Leader.Ballot != before.Leader.Ballot {
		w.trace("%s wrote %s, origin %s, accepted %v, vacant %v", c.Client, after.Leader, after.Leader.Origin, after.Leader.Accepted, after.Leader.Vacant())
	}
	w.checkBallot(c, before, after)
	w.checkRenewal(c, before, after)
	w.checkHolder(before, after)
	w.checkTenure(c, before, after)
	w.checkFence(c, before)
	w.checkWrites(c, before, after)
}

// checkRenewal is invariant 7: nobody but the holder renews its lease, or accepts
// a seat.
func (w *World) checkRenewal(c *memkv.LogEntry, before, after *election.State) {
	renewed := after.Leader.Ballot != before.Leader.Ballot && after.Leader.Token() == before.Leader.Token() && !after.Leader.Vacant()
	if renewed && c.Client != after.Leader.ID {
		w.violated("7, renewal", "%s renewed %s", c.Client, after.Leader)
	}
}

// checkHolder is invariant 13: whoever gets the seat is a registered voter.
func (w *World) checkHolder(before, after *election.State) {
	if after.Leader.Vacant() || after.Leader.Term == before.Leader.Term {
		return
	}
	holder, err := kv.ReadTransact(context.Background(), w.db, func(tr kv.ReadTransaction) (election.Candidate, error) {
		return w.election.GetCandidate(tr, after.Leader.ID)
	})
	switch {
	case err != nil:
		w.violated("13, the holder", "%s: %v", after.Leader, err)
	case holder.Identity != after.Leader.Identity || holder.Role != election.Voter:
		w.violated("13, the holder", "%s is registered as %s", after.Leader, holder)
	case !after.Config.ElectionEnabled:
		w.violated("9 of the protocol, disabled", "%s", after.Leader)
	}
}

// checkWrites is invariants 15 and 22: a process that changes nothing about the
// seat writes its own records and its challenge, and the leader besides those of
// the dead; and nobody writes outside of the election.
func (w *World) checkWrites(c *memkv.LogEntry, before, after *election.State) {
	if c.Client == "operator" || c.Client == "" {
		return
	}
	space := w.election.Subspace()
	candidates, own := space.Sub("candidates"), space.Sub("candidates", c.Client)
	for _, m := range c.Mutations {
		switch {
		case bytes.Equal(m.Key, w.fencedKey()):
		case !space.Contains(m.Key):
			w.violated("22, the subspace", "%s wrote %q", c.Client, m.Key)
		case after.Leader.Ballot != before.Leader.Ballot, before.Config.Revision == 0:
		case candidates.Contains(m.Key) && !bytes.Equal(m.Key, own.Bytes()) && before.Leader.ID != c.Client:
			w.violated("15, who writes", "%s wrote %q, and %s leads", c.Client, m.Key, before.Leader)
		case space.Sub("config").Contains(m.Key), space.Sub("term").Contains(m.Key), space.Sub("history").Contains(m.Key):
			w.violated("15, who writes", "%s wrote %q without a change of the seat", c.Client, m.Key)
		}
	}
}

// checkSight is invariant 18: a read that began after a commit sees it.
func (w *World) checkSight(p *process, op machine.Kind, floor uint64, a *machine.Answer) {
	switch op {
	case machine.Look, machine.WatchTerm, machine.WatchIntent, machine.Settle:
		if a.Err == nil && a.State.Leader.Ballot < floor {
			w.violated("18, sight", "%s: %s saw ballot %d after %d", p.name, op, a.State.Leader.Ballot, floor)
		}
	default:
	}
}

// checkBallot is invariants 1 and 2: the ballot rises by one with every write of
// the leader record, and nothing lowers it or the term.
func (w *World) checkBallot(c *memkv.LogEntry, before, after *election.State) {
	switch {
	case after.Leader.Ballot == before.Leader.Ballot && after.Leader != before.Leader:
		w.violated("1, the ballot", "%s changed the record under ballot %d", c.Client, after.Leader.Ballot)
	case after.Leader.Ballot != before.Leader.Ballot && after.Leader.Ballot != before.Leader.Ballot+1:
		w.violated("1, the ballot", "from %d to %d by %s", before.Leader.Ballot, after.Leader.Ballot, c.Client)
	case after.Leader.Term < before.Leader.Term || after.Leader.Term > before.Leader.Term+1:
		w.violated("2, the term", "from %d to %d by %s", before.Leader.Term, after.Leader.Term, c.Client)
	}
	if w.holders == nil {
		w.holders = map[uint64]election.Token{}
	}
	if !after.Leader.Vacant() {
		token := after.Leader.Token()
		if known, ok := w.holders[token.Term]; ok && known != token {
			w.violated("2, one holder per term", "%s and %s", known, token)
		}
		w.holders[token.Term] = token
	}
}

// checkTenure is about who ends a tenure, and when.
func (w *World) checkTenure(c *memkv.LogEntry, before, after *election.State) {
	old, next := before.Leader, after.Leader
	if old.Vacant() || next.Token() == old.Token() && !next.Vacant() {
		return
	}
	holder := w.processes[old.ID]
	own := c.Client == old.ID
	lives := holder != nil && holder.alive && holder.me.Identity == old.Identity
	if own && lives && holder.tenure != nil && holder.tenure.token == old.Token() {
		if t := holder.tenure; !t.returned && !t.expired {
			w.violated("release after return", "%s gave up %s while its work was running", old.ID, old.Token())
		}
	}
	if !next.Vacant() && !own && next.Origin == election.OriginPreemption {
		if next.Priority <= old.Priority {
			w.violated("6, preemption", "%s of priority %d over %d", next.ID, next.Priority, old.Priority)
		}
		w.disturbed = w.now
	}
	if !next.Vacant() && next.Origin == election.OriginExpiry && w.config.Expiry == fdbelection.ExpiryByClock {
		w.disturbed = w.now
	}
	if next.Vacant() && !own && c.Client != "operator" {
		w.violated("8, resignation", "%s vacated the seat of %s", c.Client, old.Token())
	}
}

// checkFence is invariant 4: a fenced write carries the newest term.
func (w *World) checkFence(c *memkv.LogEntry, before *election.State) {
	for _, m := range c.Mutations {
		if !bytes.Equal(m.Key, w.fencedKey()) {
			continue
		}
		term, _ := strconv.ParseUint(string(m.Value), 10, 64)
		if term != before.Leader.Term {
			w.violated("4, fenced writes", "%s wrote under term %d, the newest is %d", c.Client, term, before.Leader.Term)
		}
		if before.Leader.Vacant() {
			w.violated("8, fenced writes", "%s wrote under term %d in a vacancy", c.Client, term)
		}
		w.fenced++
	}
}

func (w *World) fencedKey() []byte { return w.space.Sub("fenced").Bytes() }

// sink is a system outside that keeps the highest term it has seen.
func (w *World) sink(term uint64) {
	w.after(time.Duration(w.workRand.Int64N(int64(w.lease/10))), func() {
		if term >= w.sinkTerm {
			w.sinkTerm = term
		} else {
			w.count("refused by the sink")
		}
	})
}

// checkStep looks at one step of a machine.
func (w *World) checkStep(p *process, before machine.Belief) {
	after := p.machine.Belief()
	if before.Term == after.Term && !after.Stop.IsZero() && before.Stop.IsZero() && before.Term != 0 {
		w.violated("9, belief", "%s believes again in term %d", p.name, after.Term)
	}
	if p.machine.View().State.Leads() && p.role == election.Observer {
		w.violated("13, observers", "%s leads", p.name)
	}
}

// checkMove is invariant 23, in part: transitions follow on each other.
func (w *World) checkMove(p *process, t machine.Transition) {
	if n := len(p.transitions); n > 0 && p.transitions[n-1].To != t.From && t.From != machine.Stopped {
		w.violated("23, transitions", "%s: %s after %s", p.name, t.From, p.transitions[n-1].To)
	}
	p.transitions = append(p.transitions[max(0, len(p.transitions)-4):], t)
}

// believes reports whether a process that asks itself now finds itself leading.
func (p *process) believes() bool {
	if !p.alive || p.pausedUntil > p.world.now {
		return false
	}
	b := p.machine.Belief()
	return b.Term != 0 && !b.Stop.IsZero() && p.clocks.local(p.world.now).Before(b.Stop)
}

// checkBelief is invariant 10: no two processes find themselves leading, unless
// one of the stated exceptions happened within a lease.
func (w *World) checkBelief() {
	if w.faults.byClock || w.faults.preemptGo {
		return
	}
	believer := ""
	for _, name := range w.names {
		if w.processes[name].believes() {
			if believer != "" {
				w.violated("10, belief", "%s and %s find themselves leading", believer, name)
			}
			believer = name
		}
	}
}

// checkQuiet is invariant 20: when faults have stopped there is one leader, and
// it is one of the highest priority.
func (w *World) checkQuiet() {
	state, err := kv.ReadTransact(context.Background(), w.db, w.election.ReadState)
	if err != nil {
		w.violated("20, liveness", "the state cannot be read: %v", err)
		return
	}
	leaders, highest := 0, int32(-1)
	for _, name := range w.names {
		p := w.processes[name]
		if !p.alive {
			w.violated("20, liveness", "%s is not there", name)
			return
		}
		if p.believes() {
			leaders++
		}
		if p.role == election.Voter {
			highest = max(highest, p.priority)
		}
	}
	switch {
	case leaders != 1:
		w.violated("20, liveness", "%d leaders, the record says %s (%v)", leaders, state.Leader, state.Intent)
	case state.Leader.Priority != highest:
		w.violated("20, liveness", "%s leads with priority %d, the highest is %d (%v)", state.Leader, state.Leader.Priority, highest, state.Intent)
	}
	for _, name := range w.names {
		view := w.processes[name].machine.View()
		if view.Leader.Token() != state.Leader.Token() {
			w.violated("19, observers", "%s believes in %s, the record says %s", name, view.Leader, state.Leader)
		}
	}
}
