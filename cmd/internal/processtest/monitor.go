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

// Monitor reads the leader record every two milliseconds. It records a fault if the ballot
// or the term falls, or if two different records have the same ballot or term.
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
	// stall is the longest time between two reads since the last TakeStall. It shows how
	// long the machine delayed this process.
	stall time.Duration
	// FirstOf has the first record seen of each term, and lastOf the last one with a holder.
	FirstOf, lastOf map[uint64]election.LeaderRecord
}

// WatchLeader starts a monitor on the default election in a store file.
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

// End stops the reads. Until must not be called after it.
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

// saw checks a record against those before it.
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
		fault("the ballot fell")
	case l.Term < m.last.Term:
		fault("the term fell")
	case l.Ballot == m.last.Ballot && l != m.last:
		fault("two records with one ballot")
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

// Until waits until holds accepts the leader record, and returns the record. It fails the
// test on a fault or after Patience.
func (m *Monitor) Until(what string, holds func(l election.LeaderRecord) bool) election.LeaderRecord {
	m.t.Helper()
	timeout := time.AfterFunc(Patience, func() { m.fault("timed out: " + what) })
	defer timeout.Stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	for !holds(m.last) && len(m.faults) == 0 {
		m.changed.Wait()
	}
	require.Empty(m.t, m.faults)
	return m.last
}

// LastRecord returns the last record with a holder that was seen of a term.
func (m *Monitor) LastRecord(term uint64) election.LeaderRecord {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lastOf[term]
}

// TakeStall returns the longest time between two reads since the last call.
func (m *Monitor) TakeStall() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	stall := m.stall
	m.stall = 0
	return stall
}

// Sound fails the test if there was a fault.
func (m *Monitor) Sound() {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	require.Empty(m.t, m.faults)
}

// Candidate returns a candidate record, or false if there is none.
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

// History returns all events, oldest first.
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
