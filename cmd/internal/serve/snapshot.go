package serve

import (
	"cmp"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/internal/overview"
)

// snapshot is what one read of the store showed. It does not change.
type snapshot struct {
	reading *overview.Reading
	took    time.Duration
	store   storeState
	known   bool // a read has succeeded
	// By name, as of the last read that has succeeded.
	elections  []overview.Election
	listed     []*row
	groups     []*row
	leftOut    int // elections above the limit
	groupsLeft int // groups above the limit
	// all encodes all elections as of this snapshot, once, for pages that have none.
	all func() []json.RawMessage
}

// storeState says whether the store answers.
type storeState struct {
	OK    bool      `json:"ok"`
	Error string    `json:"error"`
	Since time.Time `json:"since"` // when it began or ceased to answer
}

// row is a part of an answer that is sent again only when it has changed. Rows are shared by
// all pages.
type row struct {
	key  string
	same string          // what has to differ for a change: the row without what passes with time
	data json.RawMessage // as of the snapshot in which it has changed
}

// listed is an election in a list.
type listed struct {
	report.Listed
	Tenure *report.Tenure `json:"tenure"`
	// Settled is nil if only clocks say that the lease is live.
	Settled *bool `json:"settled"`
	// Remaining is counted from the last renewal that was seen. It is nil without a leader.
	Remaining *output.Duration `json:"lease_remaining_seconds"`
	Alive     int              `json:"candidates_alive"`
	Ready     int              `json:"candidates_ready"` // of the voters that are alive
}

// settled says whether a leader is settled: it has accepted, and a renewal was seen within its
// lease. It returns nil if no renewal was seen yet and the lease is live by the clocks.
func settled(e *overview.Election) *bool {
	if e.Led && !e.Renewed && e.Config.Expiry != fdbelection.ExpiryByClock {
		return nil
	}
	return &e.Led
}

// remaining returns what is left of the lease at the end of a read. It is below zero if the
// lease is over.
func remaining(e *overview.Election, r *overview.Reading) *output.Duration {
	l := e.Leader
	if l.Vacant() || l.Lost() {
		return nil
	}
	left := e.BallotSince.Add(l.LeaseDuration).Sub(r.Ended)
	byClock := e.Config.Expiry == fdbelection.ExpiryByClock
	if stored := l.LeaseExpiry.Sub(r.Wall); byClock || !e.Renewed && stored < left {
		left = stored
	}
	return (*output.Duration)(&left)
}

// newSnapshot returns a snapshot that shares unchanged rows with the one before. If a read
// failed, it keeps what was known.
func newSnapshot(r *overview.Reading, g *overview.GroupReading, before *snapshot) *snapshot {
	err := cmp.Or(r.Err, g.Err)
	s := &snapshot{reading: r, took: max(r.Took, g.Took), store: storeState{OK: err == nil, Since: r.Wall.UTC()}}
	s.all = sync.OnceValue(func() []json.RawMessage { return encodeAll(s.elections, r) })
	if err != nil {
		s.store.Error = election.SafeText(err.Error())
	}
	if before != nil && before.store.OK == s.store.OK {
		s.store.Since = before.store.Since
		if !s.store.OK {
			s.store.Error = before.store.Error // it tells of one failure, not of each attempt
		}
	}
	if before != nil {
		s.known, s.elections, s.listed, s.leftOut = before.known, before.elections, before.listed, before.leftOut
		s.groups, s.groupsLeft = before.groups, before.groupsLeft
	}
	if err != nil {
		return s
	}
	s.known, s.elections, s.leftOut, s.groupsLeft = true, r.Elections, r.LeftOut, g.LeftOut
	s.listed = rows(r.Elections, s.listed, func(e *overview.Election) string { return e.Name },
		func(e *overview.Election) (now, same any) {
			l := listedOf(e, r)
			aged := l
			l.Remaining = nil
			return aged, l
		})
	s.groups = rows(g.Groups, s.groups, func(g *overview.Group) string { return g.Name }, func(g *overview.Group) (now, same any) {
		l := listedGroupOf(g)
		return l, l
	})
	return s
}

// listedGroup is a group in a list.
type listedGroup struct {
	report.Listed
	Ready   int  `json:"members_ready"`
	Silent  int  `json:"members_silent"` // no heartbeat was seen for a lease
	Shards  int  `json:"shards"`
	Free    int  `json:"free_shards"`
	Damaged int  `json:"damaged_shards"`
	Moving  *int `json:"moving"` // as in the status of a group
}

func listedGroupOf(g *overview.Group) listedGroup {
	l := listedGroup{
		Listed: report.ListedGroupOf(g.Name, g.Config.Enabled, len(g.Members), g.Unreadable),
		Shards: g.Shards, Free: g.Free, Damaged: g.Damaged, Moving: g.Moving,
	}
	for i := range g.Members {
		switch g.Members[i].State() {
		case groupview.StateReady:
			l.Ready++
		case groupview.StateSilent:
			l.Silent++
		}
	}
	return l
}

// encodeAll encodes elections as a list has them, for a reader at the end of r.
func encodeAll(elections []overview.Election, r *overview.Reading) []json.RawMessage {
	all := make([]json.RawMessage, len(elections))
	for i := range all {
		all[i] = mustEncode(listedOf(&elections[i], r))
	}
	return all
}

// listedOf returns an election in a list, for a reader at the end of r.
func listedOf(e *overview.Election, r *overview.Reading) listed {
	l := listed{
		Listed:  report.ListedOf(e.Name, &e.Status, len(e.Candidates), errors.Join(e.Err, e.Unreadable)),
		Settled: settled(e), Remaining: remaining(e, r),
	}
	if l.Leader != nil {
		l.Tenure = report.TenureOf(&e.Leader, e.History, r.Wall)
	}
	for i := range e.Candidates {
		if e.Liveness[i].TimedOut {
			continue
		}
		l.Alive++
		if c := &e.Candidates[i]; c.Role == election.Voter && c.Ready() {
			l.Ready++
		}
	}
	return l
}

// rows encodes values. An element of old is used again if its value is the same. If all are
// the same, the result is old.
func rows[T any](values []T, old []*row, key func(*T) string, encode func(*T) (now, same any)) []*row {
	known := make(map[string]*row, len(old))
	for _, r := range old {
		known[r.key] = r
	}
	all, unchanged := make([]*row, len(values)), len(values) == len(old)
	for i := range values {
		now, same := encode(&values[i])
		text := mustEncode(same)
		r := known[key(&values[i])]
		if r == nil || r.same != string(text) {
			r = &row{key: key(&values[i]), same: string(text), data: mustEncode(now)}
		}
		all[i] = r
		unchanged = unchanged && old[i] == r
	}
	if unchanged {
		return old
	}
	return all
}

// oneRow encodes a value as rows does. without removes what passes with time.
func oneRow[T any](value T, old *row, key string, without func(*T)) *row {
	var before []*row
	if old != nil {
		before = []*row{old}
	}
	return rows([]T{value}, before, func(*T) string { return key }, func(v *T) (now, same any) {
		aged := *v
		without(&aged)
		return *v, aged
	})[0]
}

// mustEncode encodes a value of a type that has an encoding.
func mustEncode(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

// change is what has changed in a list of rows.
type change struct {
	Reset bool              `json:"reset"`
	Set   []json.RawMessage `json:"set"`
	Gone  []string          `json:"gone"`
}

// changeOf returns what a page with the rows before has to do. first says that it has none.
func changeOf(before, now []*row, first bool) (c change, changed bool) {
	c = change{Reset: first, Set: []json.RawMessage{}, Gone: []string{}}
	if !first && len(before) == len(now) && (len(now) == 0 || &before[0] == &now[0]) {
		return c, false
	}
	left := make(map[string]*row, len(before))
	for _, r := range before {
		left[r.key] = r
	}
	for _, r := range now {
		if left[r.key] != r {
			c.Set = append(c.Set, r.data)
		}
		delete(left, r.key)
	}
	for _, r := range before {
		if _, gone := left[r.key]; gone {
			c.Gone = append(c.Gone, r.key)
		}
	}
	return c, true
}
