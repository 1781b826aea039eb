package serve

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/kv"
)

const (
	// shownEvents is how many events the page of a group shows, and shownTime how far its
	// picture of moves goes back, if the log does.
	shownEvents = 100
	shownTime   = time.Hour
)

// groupStatus is the status of a group.
type groupStatus struct {
	report.GroupStatus
	Time time.Time `json:"time"` // when it was read
}

// groupDetail is what the pages of one group show. It follows the log of the group. Its fields are
// guarded by mu. Rows do not change.
type groupDetail struct {
	group *group.Group

	mu    sync.Mutex
	ended time.Time // of the last snapshot
	groupParts
	// state is nil if the group does not exist.
	state    *groupview.State
	beats    groupview.Heartbeats
	teller   *groups.Teller
	timeline *groups.Timeline // nil: the log has to be read from its beginning
	told     []groups.Event   // the last ones, oldest first
	told0    uint64           // how many events were told before those
	stale    bool             // the rows of the timeline and of the events have to be encoded again
}

// groupParts are the rows of one group. They are empty until a read has succeeded. status is nil
// if the group does not exist.
type groupParts struct {
	known                    bool
	status                   *row
	members, seconds, events []*row
}

// update returns the parts of a group as of a snapshot. It reads what is new.
func (d *groupDetail) update(ctx context.Context, f *feed, s *snapshot, name string) (groupParts, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !s.store.OK || !d.ended.IsZero() && !s.reading.Ended.After(d.ended) {
		return d.groupParts, nil
	}
	d.ended = s.reading.Ended // if the read fails, it is tried for the next snapshot, not for the next page
	ctx, cancel := clock.WithTimeout(ctx, f.clock, readLimit)
	defer cancel()
	err := d.follow(ctx, f)
	if err == nil {
		err = d.keepTimeline(ctx, f)
	}
	switch {
	case errors.Is(err, fdbelection.ErrNotInitialized):
		d.forget()
		d.groupParts = groupParts{known: true}
	case err != nil:
		return groupParts{}, err
	default:
		d.groupParts = d.rows(f, name)
	}
	return d.groupParts, nil
}

// forget makes the next read begin from nothing.
func (d *groupDetail) forget() {
	d.state, d.beats, d.teller, d.timeline, d.told, d.told0 = nil, groupview.Heartbeats{}, nil, nil, nil, 0
}

// follow reads until the state is up to date.
func (d *groupDetail) follow(ctx context.Context, f *feed) error {
	for {
		if d.state == nil {
			d.state = groupview.New(d.group)
		}
		r, err := kv.ReadTransact(ctx, f.db, func(tr kv.ReadTransaction) (groupview.Reading, error) {
			if err := groups.Exists(d.group, tr); err != nil {
				return groupview.Reading{}, err
			}
			return d.state.Read(tr)
		})
		if err != nil {
			return err
		}
		if r.MadeAgain() {
			d.forget()
			continue
		}
		if d.teller == nil {
			d.teller = groups.NewTeller(d.state)
		}
		scanned := d.state.Rescanned()
		upToDate := d.state.Add(&r, func(c *group.Change) { d.tell(c, f.clock.Wall()) })
		if !scanned && d.state.Rescanned() { // changes may be missing
			d.timeline = nil
		}
		if upToDate {
			break
		}
	}
	d.teller = nil // the state has the changes from now on
	d.beats.See(d.state.Beats, f.clock.Now())
	return nil
}

// keepTimeline begins the timeline, or removes what is too old.
func (d *groupDetail) keepTimeline(ctx context.Context, f *feed) error {
	if d.timeline == nil {
		return d.readLog(ctx, f)
	}
	before := len(d.timeline.Seconds)
	d.timeline.Trim(f.clock.Wall().Add(-shownTime))
	d.stale = d.stale || len(d.timeline.Seconds) != before
	return nil
}

// tell adds a change to the timeline and to the events.
func (d *groupDetail) tell(c *group.Change, at time.Time) {
	e, told := d.teller.Tell(c)
	if d.timeline == nil || !told {
		return
	}
	d.stale = true
	d.timeline.Add(&e, at)
	if e.At.IsZero() {
		e.At = at
	}
	d.told = append(d.told, e)
	if n := len(d.told) - shownEvents; n > 0 {
		d.told0 += uint64(n)
		d.told = append(d.told[:0:0], d.told[n:]...)
	}
}

// readLog begins the timeline with what the log has up to the state. The time of a change is
// estimated by its version.
func (d *groupDetail) readLog(ctx context.Context, f *feed) error {
	now := f.clock.Wall()
	d.timeline, d.teller, d.told, d.told0, d.stale = &groups.Timeline{}, groups.NewTeller(nil), nil, 0, true
	for at := max(d.state.Version-shownTime.Microseconds(), 0); at < d.state.Version; {
		log, err := kv.ReadTransact(ctx, f.db, func(tr kv.ReadTransaction) (group.Changes, error) {
			return d.group.ReadLog(tr, at, groupview.PageRows)
		})
		if errors.Is(err, context.DeadlineExceeded) {
			d.timeline = &groups.Timeline{} // the log is too long: the picture begins now
			break
		}
		if err != nil {
			d.timeline, d.teller = nil, nil
			return err
		}
		for i := range log.Changes {
			if c := &log.Changes[i]; c.Version() <= d.state.Version {
				d.tell(c, now.Add(-groupview.Age(d.state.Version-c.Version())))
			}
		}
		at = log.Version
	}
	d.teller = nil
	d.timeline.Know(d.state)
	return nil
}

// shards returns shards of a group as they are now: at most limit, those of a leader or the free ones,
// and those whose name contains a text.
func (d *groupDetail) shards(ctx context.Context, f *feed, limit int, leader string, free bool, text string) ([]report.Shard, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ctx, cancel := clock.WithTimeout(ctx, f.clock, readLimit)
	defer cancel()
	if err := d.follow(ctx, f); err != nil {
		return nil, err
	}
	list := []report.Shard{}
	for _, s := range groups.Select(d.state, leader, free) {
		if limit > 0 && len(list) == limit {
			break
		}
		if strings.Contains(s.Name, text) {
			list = append(list, report.ShardOf(d.state, s))
		}
	}
	return list, nil
}

// rows encodes what is known.
func (d *groupDetail) rows(f *feed, name string) groupParts {
	at := f.clock.Now()
	summary := d.state.Summary(func(id string) (*bool, *time.Duration) { return d.beats.Judge(d.state, id, at) })
	s := f.groupStatusOf(&summary, name)
	members := s.Loads
	s.Loads = []report.GroupMember{}
	p := groupParts{known: true, status: oneRow(s, d.status, name, func(s *groupStatus) {
		s.Time, s.Silent, s.MirrorLag, s.Log = time.Time{}, nil, nil, 0
	})}
	p.members = rows(members, d.members, func(m *report.GroupMember) string { return m.ID }, func(m *report.GroupMember) (now, same any) {
		aged := *m
		aged.Silence, aged.MirrorLag = nil, nil
		return *m, aged
	})
	p.seconds, p.events = d.seconds, d.events
	if !d.stale {
		return p
	}
	d.stale = false
	p.seconds = rows(d.timeline.Seconds, d.seconds, func(s *groups.Second) string { return strconv.FormatInt(s.At, 10) },
		func(s *groups.Second) (now, same any) { return s, s })
	numbers := make([]int, len(d.told))
	for i := range numbers {
		numbers[i] = i
	}
	p.events = rows(numbers, d.events, func(i *int) string { return strconv.FormatUint(d.told0+uint64(*i), 10) }, func(i *int) (now, same any) {
		e := numberedEvent{d.told0 + uint64(*i), report.GroupEventOf(&d.told[*i], f.clock.Wall(), d.state.Version)}
		return e, e
	})
	return p
}

// numberedEvent is an event of a group. Its number is its key in the stream.
type numberedEvent struct {
	Number uint64 `json:"number"`
	report.GroupEvent
}

// groupStatusOf returns the status of a group.
func (f *feed) groupStatusOf(g *groupview.Summary, name string) groupStatus {
	s := groupStatus{GroupStatus: report.GroupStatusOf(g), Time: f.clock.Wall().UTC()}
	s.Store, s.Root, s.Group = f.store, f.root, name
	return s
}
