package electortest

import (
	"context"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// process is an elector on a handle of its own, with a record of its transitions.
type process struct {
	*elector.Elector
	tc          *cluster
	id          string
	transitions chan elector.Transition // each change of state

	mu     sync.Mutex
	states []elector.State
}

// settings are the options of one process.
type settings struct {
	elector.Options
	db kv.Database
}

type setting func(*settings)

func priority(p int32) setting { return func(s *settings) { s.Priority = p } }

func observer(s *settings) { s.Role = election.Observer }

func mustExist(s *settings) { s.MustExist = true }

func withMetadata(metadata map[string]string) setting {
	return func(s *settings) { s.Metadata = metadata }
}

func on(db kv.Database) setting { return func(s *settings) { s.db = db } }

// whenElected sets a function that is called before the test sees the election.
func whenElected(call func()) setting {
	return func(s *settings) {
		s.Callbacks.OnElected = func(context.Context, elector.Transition) { call() }
	}
}

// process returns an elector that has not started. It is abandoned at the end of the test.
func (tc *cluster) process(id string, with ...setting) *process {
	tc.Helper()
	p := &process{tc: tc, id: id, transitions: make(chan elector.Transition, 1000)}
	s := settings{Options: elector.Options{NodeID: id, Config: tc.config, DrainLimit: patience, Clock: tc.clock}}
	s.Callbacks.OnTransition = p.record
	for _, set := range with {
		set(&s)
	}
	if s.db == nil {
		s.db = tc.handle()
	}
	var err error
	p.Elector, err = elector.New(s.db, tc.election, s.Options)
	require.NoError(tc, err)
	tc.Cleanup(func() {
		p.Abandon()
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_ = p.Stop(ctx) // waits until all its goroutines have ended
	})
	return p
}

func (p *process) record(_ context.Context, t elector.Transition) {
	p.mu.Lock()
	p.states = append(p.states, t.To)
	p.mu.Unlock()
	p.tc.Logf("%8s %s: %s to %s in term %d (%s)",
		time.Since(p.tc.start).Round(time.Millisecond), p.id, t.From, t.To, t.Term, t.Reason)
	p.transitions <- t
}

// begin starts a process in the background.
func (tc *cluster) begin(id string, with ...setting) *process {
	tc.Helper()
	p := tc.process(id, with...)
	require.NoError(tc, p.Start(tc.Context()))
	return p
}

// leading starts a process and waits until it leads.
func (tc *cluster) leading(id string, with ...setting) *process {
	tc.Helper()
	p := tc.begin(id, with...)
	p.leads(patience)
	return p
}

// following starts a process and waits until it follows.
func (tc *cluster) following(id string, with ...setting) *process {
	tc.Helper()
	p := tc.begin(id, with...)
	p.enters(elector.StateFollower, patience)
	return p
}

// enters waits until the process enters a state and returns the transition.
func (p *process) enters(state elector.State, limit time.Duration) elector.Transition {
	p.tc.Helper()
	deadline := time.Now().Add(limit)
	for {
		t := within(p.tc, time.Until(deadline), p.transitions, p.id+" becomes "+state.String())
		if t.To == state {
			return t
		}
	}
}

// leads waits until the process leads and returns its term.
func (p *process) leads(limit time.Duration) uint64 {
	p.tc.Helper()
	return p.enters(elector.StateLeader, limit).Term
}

// demoted waits until a leader stops leading.
func (p *process) demoted(limit time.Duration) {
	p.tc.Helper()
	deadline := time.Now().Add(limit)
	for {
		t := within(p.tc, time.Until(deadline), p.transitions, p.id+" is demoted")
		if t.To != elector.StateLeader && t.To != elector.StateJeopardy {
			return
		}
	}
}

// history returns the states that were entered, in order.
func (p *process) history() []elector.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]elector.State(nil), p.states...)
}

// stop stops a process and expects no error.
func (p *process) stop() {
	p.tc.Helper()
	require.NoError(p.tc, p.Stop(p.tc.patient()))
}

// doesNotLead fails the test if the process starts to lead within d.
func (p *process) doesNotLead(d time.Duration) {
	p.tc.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		select {
		case t := <-p.transitions:
			require.NotEqual(p.tc, elector.StateLeader, t.To, p.id)
		case <-timer.C:
			return
		}
	}
}

// works calls Run in a goroutine. The channel gets its error.
func (p *process) works(ctx context.Context, work func(ctx context.Context, lead *elector.Leadership) error) <-chan error {
	result := make(chan error, 1)
	go func() { result <- p.Run(ctx, work) }()
	return result
}

// campaigns calls Campaign and returns the leadership.
func (p *process) campaigns() *elector.Leadership {
	p.tc.Helper()
	lead, err := p.Campaign(p.tc.patient())
	require.NoError(p.tc, err)
	return lead
}
