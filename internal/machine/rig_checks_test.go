package machine

import (
	"fmt"

	"github.com/stretchr/testify/require"
)

// This file holds what the rig checks in every step of every test. The simulator checks the
// same in random runs, and that deadlines rest on acknowledged attempts only (docs/simulation.md).

// work is what the caller of a machine knows of the work of its tenure.
type work struct {
	term             uint64 // zero: there is none
	drained, expired bool
}

// step steps a copy of a machine.
func step(m Machine, event Event, now Now) (Machine, []Action) {
	actions := m.Step(event, now)
	return m, actions
}

// pureStep checks that a step is a function: it gives the same result twice, and does not
// change a copy of the machine. It checks every step of a short test, and a part of the
// steps of a long one.
func (r *rig) pureStep(event Event) (Machine, []Action) {
	r.t.Helper()
	if r.steps++; r.steps > 50 && r.steps%50 != 0 {
		return step(r.m, event, r.now())
	}
	before := fmt.Sprintf("%+v", r.m)
	m, acts := step(r.m, event, r.now())
	after := fmt.Sprintf("%+v", m)
	again, same := step(r.m, event, r.now())
	require.Equal(r.t, before, fmt.Sprintf("%+v", r.m), "the step changed the machine that it was given")
	require.Equal(r.t, after, fmt.Sprintf("%+v", m), "the step changed another machine")
	require.Equal(r.t, acts, same, "the same step gave other actions")
	first := m
	first.settings.Permanent, again.settings.Permanent = nil, nil // functions are never equal
	require.Equal(r.t, first, again, "the same step gave another machine")
	return m, acts
}

// checkOrder checks the order of Lead, Drain and Expire, and that leadership is not released or
// claimed before the end of the tenure.
func (r *rig) checkOrder(action Action) {
	r.t.Helper()
	switch a := action.(type) {
	case Lead:
		require.Zero(r.t, r.work.term, "leads before the last work has returned")
		r.work = work{term: a.Leader.Term}
	case Drain:
		require.True(r.t, r.work.term == a.Term && !r.work.drained, "drains term %d", a.Term)
		r.work.drained = true
	case Expire:
		require.True(r.t, r.work.term == a.Term && r.work.drained && !r.work.expired, "expires term %d", a.Term)
		r.work.expired = true
	case StartOperation:
		if r.m.tenure.exists() && !r.work.expired {
			require.NotContains(r.t, []Kind{Resign, HandOver, Unregister, Register, Rejoin, Settle}, a.Kind, "in a tenure")
			require.True(r.t, a.Kind != ElectionCycle || a.Abstain && a.Token == r.m.tenure.token, "a claim in a tenure")
		}
	case Finish:
		require.True(r.t, r.work.term == 0 || r.work.expired, "stops while the work may use the lease")
	}
}

// checkDeadlines checks that the deadlines and the state agree, and that a machine that waits for
// no main operation has requested a wake-up. A machine that runs always knows when the next event
// comes.
func (r *rig) checkDeadlines() {
	r.t.Helper()
	d, now := r.m.Deadlines(), r.now().Local
	require.Equal(r.t, r.m.State().Leads(), d.Stop.After(now), "leads although the stop deadline has passed")
	require.True(r.t, d.End.IsZero() || d.End.After(now), "the end deadline has passed")
	if r.m.life.phase == running && !r.m.operations.main.busy() || r.m.tenure.stage == draining {
		require.Greater(r.t, r.wake, r.local, "no wake-up is requested")
	}
	due, _ := r.m.due()
	require.Equal(r.t, r.m.life.phase == running || r.m.life.phase == leaving, !due.IsZero(), "the next event")
}
