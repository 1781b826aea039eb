package groups

import (
	"context"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/groupview"
)

// Observation is what Observe has seen.
type Observation struct {
	groupview.Heartbeats
	// Judged says that every member had time for a heartbeat, so those that are not alive are
	// silent. It is false if Observe read only once, or if the store is slow.
	Judged bool
	// Slowest is how long the slowest read took, and Slow that no member can be judged for it.
	Slowest time.Duration
	Slow    bool
	// Took is how long it took.
	Took time.Duration

	at time.Time // of the last read
}

// Judge returns Silent and Age of a member. Without an Observation, none is judged.
func (o *Observation) Judge(id string) (silent *bool, age *time.Duration) {
	if o == nil {
		return nil, nil
	}
	return o.Silent(id), o.Age(id)
}

// See adds the heartbeats of one read, as Heartbeats.See does.
func (o *Observation) See(beats []group.Beat, at time.Time) {
	o.Heartbeats.See(beats, at)
	o.at = at
}

// Silent reports whether a member sent no heartbeat, or nil if that was not judged.
func (o *Observation) Silent(id string) *bool {
	alive := o.Alive(id)
	if !alive && !o.Judged {
		return nil
	}
	alive = !alive
	return &alive
}

// Age returns how long no heartbeat of a member was seen until the last read, or nil if that
// was not judged.
func (o *Observation) Age(id string) *time.Duration {
	age, known := o.Since(id, o.at)
	if !known || o.Silent(id) == nil {
		return nil
	}
	return &age
}

// Observe reads the heartbeats until it has seen a new one of every member, at most for limit. A
// limit of zero reads nothing. It updates the State at the end.
func Observe(ctx context.Context, s *session.Session, st *groupview.State, limit time.Duration) (*Observation, error) {
	c, p := s.Program.Clock, s.Program.NewProgress()
	defer p.Done()
	o := &Observation{}
	o.See(st.Beats, c.Now())
	lease := st.Config.Lease()
	begin := c.Now()
	for o.Waits() && !o.Slow && o.Took < limit {
		p.Show(fmt.Sprintf("waiting for heartbeats: %s of %s", output.Tenths(o.Took), output.Tenths(limit)), int64(o.Took), int64(limit))
		if err := clock.Sleep(ctx, c, min(records.ReadInterval(limit), limit-o.Took)); err != nil {
			return nil, fmt.Errorf("interrupted while waiting for heartbeats: %w", err)
		}
		before := c.Now()
		if err := Update(ctx, s, st); err != nil {
			return nil, err
		}
		o.Slowest = max(o.Slowest, c.Now().Sub(before))
		o.Slow = st.Config.Revision > 0 && records.TooSlow(&lease, o.Slowest)
		o.See(st.Beats, c.Now())
		o.Took = c.Now().Sub(begin)
	}
	o.Judged = limit > 0 && !o.Slow
	return o, nil
}
