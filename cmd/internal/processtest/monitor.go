package processtest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

// monitor reads the seat of a store again and again, and sees whether anything
// goes back that must not.
type Monitor struct {
	t        *testing.T
	DB       *filekv.DB
	election *election.LeaderElection
	stop     func()
	done     chan struct{}

	mu      sync.Mutex
	changed *sync.Cond
	last    election.LeaderRecord
	faults  []string
	Reads   int
	// stall is the longest time between two reads since it was last asked for: how
	// much the machine kept even this one waiting.
	stall time.Duration
	// lastOf holds the last record seen of each term, firstOf the first.
	FirstOf, lastOf map[uint64]election.LeaderRecord
}

// watchSeat starts a monitor on the election of "fdbelect run" with its
// defaults.
func WatchLeader(t *testing.T, file string) *Monitor {
	t.Helper()
	db, err := filekv.Open(file, filekv.Options{})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	m := &Monitor{
		t: t, DB: db, election: election.New(subspace.New("fdbelection", "default")),
		stop: stop, done: make(chan struct{}),
		FirstOf: make(map[uint64]election.LeaderRecord), lastOf: make(map[uint64]election.LeaderRecord),
	}
	m.changed = sync.NewCond(&m.mu)
	go m.run(ctx)
	t.Cleanup(func() {
		m.End()
		require.NoError(t, db.Close())
	})
	return m
}

// end stops reading.
func (m *Monitor) End() {
	m.stop()
	<-m.done
}

func (m *Monitor) run(ctx context.Context) {
	defer close(m.done)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for previous := time.Now(); ; {
		leader, err := kv.ReadTransact(ctx, m.DB, m.election.GetLeaderRaw)
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, fdbelection.ErrNotInitialized):
		case err != nil:
			m.fault("read: " + err.Error())
		default:
			m.saw(leader, now.Sub(previous))
		}
		previous = now
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (m *Monitor) fault(text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = append(m.faults, text)
	m.changed.Broadcast()
}

// saw checks one reading against those before.
func (m *Monitor) saw(l election.LeaderRecord, gap time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Reads++
	m.stall = max(m.stall, gap)
	fault := func(text string) {
		m.faults = append(m.faults, text+": "+m.last.String()+", then "+l.String())
	}
	switch {
	case l.Ballot < m.last.Ballot:
		fault("the ballot went back")
	case l.Term < m.last.Term:
		fault("the term went back")
	case l.Ballot == m.last.Ballot && l != m.last:
		fault("two records under one ballot")
	}
	if first, known := m.FirstOf[l.Term]; !known {
		m.FirstOf[l.Term] = l
	} else if first.Nonce != l.Nonce || !l.Vacant() && !first.Vacant() && first.Token() != l.Token() {
		fault("two tenures in one term")
	}
	if !l.Vacant() {
		m.lastOf[l.Term] = l
	}
	m.last = l
	m.changed.Broadcast()
}

// until waits until the seat is as expected, and returns the record.
func (m *Monitor) Until(what string, as func(l election.LeaderRecord) bool) election.LeaderRecord {
	m.t.Helper()
	timeout := time.AfterFunc(Patience, func() { m.fault("never came true: " + what) })
	defer timeout.Stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	for !as(m.last) && len(m.faults) == 0 {
		m.changed.Wait()
	}
	require.Empty(m.t, m.faults)
	return m.last
}

// lastRecord returns the last record that was seen of a tenure.
func (m *Monitor) LastRecord(term uint64) election.LeaderRecord {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lastOf[term]
}

// takeStall returns the longest time between two reads since the last call.
func (m *Monitor) TakeStall() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	stall := m.stall
	m.stall = 0
	return stall
}

// sound fails the test where anything went back.
func (m *Monitor) Sound() {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	require.Empty(m.t, m.faults)
}

// candidate returns a candidate record, or false where there is none.
func (m *Monitor) Candidate(id string) (election.Candidate, bool) {
	m.t.Helper()
	c, err := kv.ReadTransact(m.t.Context(), m.DB, func(tr kv.ReadTransaction) (election.Candidate, error) {
		return m.election.GetCandidate(tr, id)
	})
	if errors.Is(err, fdbelection.ErrProcessNotFound) {
		return c, false
	}
	require.NoError(m.t, err)
	return c, true
}

// history returns all events, oldest first.
func (m *Monitor) History() []election.Event {
	m.t.Helper()
	events, err := kv.ReadTransact(m.t.Context(), m.DB, func(tr kv.ReadTransaction) ([]election.Event, error) {
		return m.election.History(tr, 0)
	})
	require.NoError(m.t, err)
	for i, j := 0, len(events)-1; i < j; i, j = i+1, j-1 {
		events[i], events[j] = events[j], events[i]
	}
	return events
}
