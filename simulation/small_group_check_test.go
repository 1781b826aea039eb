package simulation

import (
	"errors"
	"slices"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// committed checks a commit: by the checks of the commit log, and that an act takes effect once.
func (w *smallGroupWorld) committed(e memkv.LogEntry) {
	op := w.operations[e.Label]
	renews := op != nil && (op.what.Kind == membership.Join || op.what.Kind == membership.Heartbeat) // each attempt writes another record
	if w.reached != nil {
		w.reached[e.Label] = true
	}
	w.raised = w.raised || e.Label == labelRaise
	for i := range e.Mutations {
		m := &e.Mutations[i]
		if w.inLog(m.Key) || !w.records.Contains(m.Key) || m.Kind != memkv.MutationSet && !w.single(m) {
			continue
		}
		key, next := string(m.Key), string(m.Value)
		if m.Kind != memkv.MutationSet {
			next = ""
		}
		before, _ := w.shadow.Get(m.Key).Get()
		if next == string(before) {
			continue
		}
		effects := w.effects[e.Label]
		if effects == nil {
			effects = map[string]string{}
			w.effects[e.Label] = effects
		}
		// An act that removes a shard may ask its leader first.
		if was, again := effects[key]; again && was == string(before) && next != "" && !renews {
			w.violated(invGroupOutcome, "%s took effect again: it wrote %q twice", e.Label, key)
		}
		effects[key] = next
	}
	w.groupWorld.committed(e)
	w.checkNonces()
	w.checkOrphans(&e)
}

// checkOrphans is a part of invariant 38: what an operator wants of a shard goes with the shard.
func (w *smallGroupWorld) checkOrphans(e *memkv.LogEntry) {
	for _, name := range w.shardNames(w.shards) {
		_, exists := w.rows[groupRecord{group.KindShard, name}]
		for _, kind := range []group.Kind{group.KindPin, group.KindRequest} {
			if _, wanted := w.rows[groupRecord{kind, name}]; wanted && !exists {
				w.violated(invGroupOwner, "%s left %s of %s, which does not exist", e.Label, kind, name)
			}
		}
	}
}

// checkNonces is a part of invariant 33: a nonce names one tenure, unless an operator has raised
// terms while a claim was under way.
func (w *smallGroupWorld) checkNonces() {
	if w.raised {
		return
	}
	terms := map[group.Token]uint64{}
	for token := range w.holders {
		term := token.Term
		token.Term = 0
		if other, exists := terms[token]; exists && other != term {
			w.violated(invGroupTerms, "%s is the tenure of two terms, %d and %d", token, other, term)
		}
		terms[token] = term
	}
}

// checkState is a part of invariant 35: no two actors believe that they lead one shard, and what
// they believe is a tenure. After an operator has raised terms, two may believe it.
func (w *smallGroupWorld) checkState() {
	for _, name := range w.shardNames(w.shards) {
		leaders := slices.DeleteFunc(slices.Clone(w.members), func(m *smallMember) bool { return !m.leads(name) })
		if len(leaders) > 1 && !w.raised {
			w.violated(invGroupBelief, "%s and %s lead %s", leaders[0].process.name, leaders[1].process.name, name)
		}
		for _, m := range leaders {
			token := m.tenures[name].Token
			if _, exists := w.holders[token]; !exists || token.Identity != m.record.Identity {
				w.violated(invGroupBelief, "%s leads %s, which is not a tenure of its session", m.process.name, token)
			}
		}
	}
}

// checkEffects is a part of invariant 47: what the commits of an operation have done, it says,
// also if the result of a commit was unknown. Records that have changed since say nothing.
func (m *smallMember) checkEffects(op *groupOperation, a *membership.Answer) {
	if a.Err != nil && kv.OutcomeOf(a.Err) == kv.Unsettled {
		return
	}
	name := m.process.name
	for _, shard := range m.shardNames(m.shards) {
		row := m.rows[groupRecord{group.KindShard, shard}]
		effect, stands := m.effect("shards", shard)
		if stands && !m.mayNot(op, a.Err) && !says(a, shard, effect == "", row.Shard) {
			m.violated(invGroupOutcome, "%s: %s has changed %s, and says %v, %v", name, op.what.Kind, shard, a.Outcomes, a.Err)
		}
	}
	for id, beat := range m.beats {
		effect, stands := m.effect("beats", id)
		if stands && effect != "" && (a.Err != nil && !m.mayNot(op, a.Err) || a.Beat.Value != beat.Value) {
			m.violated(invGroupOutcome, "%s: %s has written %v, and says %v, %v", name, op.what.Kind, beat, a.Beat, a.Err)
		}
	}
	if a.Err != nil {
		return
	}
	switch op.what.Kind {
	case membership.Release:
		m.checkReleaseEnded(op, a.Outcomes)
	case membership.Evict:
		if effect, stands := m.effect("beats", op.what.Seen.ID); stands && effect == "" && !a.Evicted {
			m.violated(invGroupOutcome, "%s evicted %s, and does not say so", name, op.what.Seen.Identity)
		}
	case membership.Update:
		if now := memberIn(m.rows, op.what.Me.ID); now != nil && now.Identity == op.what.Me && !now.Equal(&op.what.Member) {
			m.violated(invGroupOutcome, "%s wrote %v, and the record is %v", name, op.what.Member, now)
		}
	default:
	}
}

// effect returns what the commits of the current act have left in a record, and whether it has
// not changed since.
func (m *smallMember) effect(kind, name string) (value string, stands bool) {
	key := subspace.AppendString(subspace.AppendString(slices.Clip(m.records.Bytes()), kind), name)
	now, _ := m.shadow.Get(key).Get()
	value, wrote := m.effects[m.label()][string(key)]
	return value, wrote && value == string(now)
}

// mayNot reports whether an operation that has committed may get an error in a later attempt,
// because something else has changed.
func (w *smallGroupWorld) mayNot(op *groupOperation, err error) bool {
	own := memberIn(w.rows, op.what.Me.ID)
	switch {
	case errors.Is(err, group.ErrSessionEnded):
		return !livesIn(w.rows, op.what.Me)
	case errors.Is(err, fdbelection.ErrElectionDisabled):
		config, ok := w.storedConfig()
		return ok && !config.Enabled
	case errors.Is(err, fdbelection.ErrNotReady):
		return own != nil && (own.Draining || !own.Ready())
	default:
		return false
	}
}

// says reports whether an answer says what became of a shard.
func says(a *membership.Answer, name string, removed bool, now *group.Shard) bool {
	if a.Err != nil {
		return false
	}
	for i := range a.Outcomes {
		o := &a.Outcomes[i]
		if o.Shard.Name != name {
			continue
		}
		if removed {
			return o.Removed && o.Err == nil
		}
		return !o.Removed && sameShard(&o.Shard, now) && (o.Err == nil || errors.Is(o.Err, group.ErrTarget))
	}
	return true // of the rest of a batch, which is asked for again
}

// checkReleaseEnded: after a release, the tenure has ended.
func (w *smallGroupWorld) checkReleaseEnded(op *groupOperation, outcomes []group.Outcome) {
	for i := range outcomes { // those of the rest are missing
		token := op.what.Releases[i].Token
		row := w.rows[groupRecord{group.KindShard, token.Shard}]
		if row.Shard != nil && row.Shard.Token() == token && token.Identity == op.what.Me {
			w.violated(invGroupOutcome, "%s released %s, which goes on", op.process.name, token)
		}
	}
}
