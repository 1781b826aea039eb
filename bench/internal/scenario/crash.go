package scenario

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/bench/internal/figures"
	"github.com/fdbelection/fdbelection/bench/internal/system"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// DefaultVictims is how many elections the process leads that is killed, if nothing else is asked for.
const DefaultVictims = 20

// crash kills a process that leads elections, and measures when the candidates of another process
// lead. The time beyond the lease counts from the end of the lease, counted from the start of
// the last renewal, if the system tells about renewals.
func crash(ctx context.Context, b *bench) (figures.Result, error) {
	fromKill, beyond := figures.NewRecorder(), figures.NewRecorder()
	elections, rounds := b.Victims, 5
	if b.settings.Lease > 2*b.Lease {
		rounds = 1
	}
	if b.Quick {
		elections = 2
	}
	err := b.rounds(ctx, rounds, 90*time.Second, func(round int) error { return b.crashOnce(ctx, round, elections, fromKill, beyond) })
	r := figures.Result{Times: beyond.Times(), Values: map[string]float64{}}
	if t := fromKill.Times(); t != nil {
		r.Values["from the kill, p50 ms"], r.Values["from the kill, max ms"] = t.P50, t.Max
	}
	return r, err
}

func (b *bench) crashOnce(ctx context.Context, round, elections int, fromKill, beyond *figures.Recorder) error {
	victim, err := b.victim(ctx, fmt.Sprint("victim", round), elections)
	if err != nil {
		return err
	}
	defer victim.kill()
	standby, err := b.connect(ctx)
	if err != nil {
		return err
	}
	defer standby.Close()
	all := make([]*contender, elections)
	for i := range all {
		if all[i], err = campaign(ctx, standby, electionName(i), fmt.Sprint("standby", round), 0); err != nil {
			return err
		}
	}
	if !b.Quick { // in calm, and at any time between two renewals
		pause(ctx, 2*b.settings.Heartbeat+b.random.part(b.settings.Heartbeat))
	}
	killed := time.Now()
	victim.kill()
	for i, one := range all {
		at, err := one.await(ctx)
		if err != nil {
			return err
		}
		fromKill.Add(at.Sub(killed))
		if last, ok := victim.lastRenewal(i); ok {
			beyond.Add(at.Sub(last) - b.settings.Lease)
		}
	}
	for _, one := range all {
		if err := one.Resign(ctx); err != nil {
			return err
		}
	}
	return nil
}

// victim is a process that is killed, or candidates that go silent.
type victim interface {
	kill()
	// lastRenewal returns the time before the last renewal.
	lastRenewal(election int) (time.Time, bool)
}

func (b *bench) victim(ctx context.Context, id string, elections int) (victim, error) {
	if b.system.InProcess {
		return b.silent(ctx, id, elections)
	}
	c, err := b.start(id, elections)
	if err != nil {
		return nil, err
	}
	if err := c.await(ctx, elections); err != nil {
		c.kill()
		return nil, err
	}
	return c, nil
}

func (c *child) lastRenewal(election int) (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, ok := c.renewed[election]
	return time.Now().Add(at - clock.Boot()), ok
}

// silent are candidates of this process.
type silent struct {
	client system.Client
	all    []system.Candidate
	mu     sync.Mutex
	last   map[int]time.Time
	dead   bool
}

func (b *bench) silent(ctx context.Context, id string, elections int) (*silent, error) {
	s := &silent{last: make(map[int]time.Time)}
	var err error
	if s.client, err = b.connect(ctx); err != nil {
		return nil, err
	}
	leads := make(chan struct{}, elections)
	for i := range elections {
		one, err := s.client.Campaign(ctx, electionName(i), id, system.Candidacy{
			Lead:    func() { leads <- struct{}{} },
			Renewed: func(before time.Time) { s.mu.Lock(); defer s.mu.Unlock(); s.last[i] = before },
		})
		if err != nil {
			return nil, err
		}
		s.all = append(s.all, one)
	}
	for range elections {
		select {
		case <-leads:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return s, nil
}

func (s *silent) kill() {
	if s.dead {
		return
	}
	s.dead = true
	for _, one := range s.all {
		one.Crash()
	}
	s.client.Close()
}

func (s *silent) lastRenewal(election int) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.last[election]
	return at, ok
}
