package serve

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/overview"
)

// statusCandidates is how many candidates can have a delay in a status, as in "status".
const statusCandidates = 16

// status is the status of an election.
type status struct {
	report.Status
	Remaining *output.Duration `json:"lease_remaining_seconds"` // as in listed
	Time      time.Time        `json:"time"`                    // when it was read
}

// detail is what the pages of one election show. Its fields are guarded by mu. Rows do not
// change.
type detail struct {
	mu      sync.Mutex
	reading *overview.Reading
	parts
	newest newest
	read   bool // the history was read
}

// newest is what was known when the history was read last. Old events are removed only if the
// config or the term changes.
type newest struct {
	events         []election.Event
	revision, term uint64
}

func newestOf(e *overview.Election) newest {
	return newest{e.History, e.Config.Revision, e.Leader.Term}
}

func (n newest) equal(o newest) bool {
	return n.revision == o.revision && n.term == o.term && slices.Equal(n.events, o.events)
}

// parts are the rows of one election. They are empty until a read has succeeded. status is nil
// if there is no such election.
type parts struct {
	known               bool
	election            *overview.Election // as of the last read that has succeeded; nil: there is none
	status              *row
	candidates, history []*row
}

// update returns the parts of the election name in a snapshot. It reads the history if that may
// have changed. If that fails, it is read for the next snapshot.
func (d *detail) update(ctx context.Context, f *feed, s *snapshot, name string) (parts, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !s.store.OK || d.reading != nil && !s.reading.Ended.After(d.reading.Ended) {
		return d.parts, nil
	}
	d.reading = s.reading
	e := find(s.reading, name)
	if e == nil || e.Err != nil { // there is no such election, or only its damage can be shown
		before := d.status
		d.parts, d.newest, d.read = parts{known: true, election: e}, newest{}, false
		if e != nil {
			d.status = f.statusRow(e, s.reading, before)
		}
		return d.parts, nil
	}
	if !d.read || !d.newest.equal(newestOf(e)) {
		events, err := f.history(ctx, name, 0)
		if err != nil && !errors.Is(err, fdbelection.ErrInvalidState) {
			d.read = false
			return parts{}, err
		}
		d.history = rows(events, d.history, eventKey, func(v *election.Event) (now, same any) {
			one := report.EventOf(v)
			return one, one
		})
		d.newest, d.read = newestOf(e), true
	}
	d.known, d.election, d.status = true, e, f.statusRow(e, s.reading, d.status)
	d.candidates = candidateRows(e, s.reading, d.candidates)
	return d.parts, nil
}

func find(r *overview.Reading, name string) *overview.Election {
	i, found := slices.BinarySearchFunc(r.Elections, name, func(e overview.Election, name string) int {
		return strings.Compare(e.Name, name)
	})
	if !found {
		return nil
	}
	return &r.Elections[i]
}

func eventKey(v *election.Event) string {
	return strconv.FormatUint(v.Term, 10) + "/" + v.Kind.String()
}

// statusOf returns the status of an election in a reading.
func (f *feed) statusOf(e *overview.Election, r *overview.Reading) status {
	s := status{Status: report.StatusOf(&e.Status, e.History, r.Wall), Remaining: remaining(e, r), Time: r.Wall.UTC()}
	s.Store, s.Root, s.Election = f.store, f.root, e.Name
	s.Delays = report.DelaysOf(e.Candidates[:min(statusCandidates, len(e.Candidates))], r.Wall)
	s.Unreadable = records.DamagedIn(errors.Join(e.Err, e.Unreadable))
	s.Settled = settled(e)
	return s
}

func (f *feed) statusRow(e *overview.Election, r *overview.Reading, old *row) *row {
	return oneRow(f.statusOf(e, r), old, e.Name, func(s *status) { s.Remaining, s.Time = nil, time.Time{} })
}

// candidateOf returns a candidate of a reading.
func candidateOf(e *overview.Election, i int, r *overview.Reading) report.Candidate {
	c, seen := &e.Candidates[i], &e.Liveness[i]
	one := report.CandidateOf(c, i+1, &e.Leader, r.Wall)
	one.TimedOut = &seen.TimedOut
	if seen.Heard {
		one.ClockAhead = (*output.Duration)(&seen.Ahead)
		one.Age = output.Duration(r.Ended.Sub(seen.Since)) // no clock of another host
	}
	return one
}

// encodeCandidates encodes the candidates of an election, for a reader at the end of r.
func encodeCandidates(e *overview.Election, r *overview.Reading) []json.RawMessage {
	all := make([]json.RawMessage, len(e.Candidates))
	for i := range all {
		all[i] = mustEncode(candidateOf(e, i, r))
	}
	return all
}

func candidateRows(e *overview.Election, r *overview.Reading, old []*row) []*row {
	numbers := make([]int, len(e.Candidates))
	for i := range numbers {
		numbers[i] = i
	}
	return rows(numbers, old, func(i *int) string { return e.Candidates[*i].ID }, func(i *int) (now, same any) {
		c := candidateOf(e, *i, r)
		aged := c
		c.Age = 0
		return aged, c
	})
}
