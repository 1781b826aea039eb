package demo

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

const (
	// laneRedraw is the time between two drawings.
	laneRedraw = 100 * time.Millisecond
	// laneStep is the time that one character of a lane stands for.
	laneStep = 200 * time.Millisecond
	// laneWidth is the number of characters that the whole demo needs.
	laneWidth = 76
	// laneNames is the number of columns before a lane, for the name.
	laneNames = 9
)

// The characters of a lane.
const (
	laneNone    = ' '
	laneVacant  = '·'
	laneFollows = '─'
	laneLeads   = '█'
	laneCrashes = '✗'
)

// lanes are the lines below the text of a demo on a terminal. They show the state of
// each candidate over time, and what is left of the lease. New text appears above them.
type lanes struct {
	out     io.Writer
	clock   elector.Clock
	palette terminal.Palette
	size    func() (columns, rows int)

	mu      sync.Mutex
	names   []string
	past    map[string][]rune
	crashed map[string]bool
	leader  election.LeaderRecord
	config  fdbelection.Config
	since   time.Time // when the ballot of leader was first seen
	begin   time.Time
	drawn   int  // lines on the screen, which the next drawing replaces
	over    bool // the lease is not drawn any more
	stop    func()
}

func newLanes(out io.Writer, c elector.Clock, p terminal.Palette, size func() (columns, rows int)) *lanes {
	return &lanes{
		out: out, clock: c, palette: p, size: size, begin: c.Now(), stop: func() {},
		names: append(append([]string{}, firstIDs...), lastID),
		past:  make(map[string][]rune), crashed: make(map[string]bool),
	}
}

// follow draws the records of a demo as they change, until stop is called.
func (l *lanes) follow(d *demo) {
	ctx, cancel := context.WithCancel(d.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for clock.Sleep(ctx, l.clock, laneRedraw) == nil {
			seen, err := kv.ReadTransact(ctx, d.db, func(tr kv.ReadTransaction) (records.Listing, error) { return records.ReadListing(d.election, tr) })
			if err == nil { // it fails until the election is initialized
				l.sample(&seen)
			}
		}
	}()
	io.WriteString(l.out, "\x1b[?25l") //nolint:errcheck // a terminal that fails cannot show an error
	l.stop = func() {
		cancel()
		<-done
		l.close()
		io.WriteString(l.out, "\x1b[?25h") //nolint:errcheck // a terminal that fails cannot show an error
	}
}

// markCrash marks the crash of a candidate. The database does not show it.
func (l *lanes) markCrash(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crashed[id] = true
	l.grow(id, laneCrashes)
}

// sample adds the records that were read to the lanes, and draws them.
func (l *lanes) sample(seen *records.Listing) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seen.Leader.Ballot != l.leader.Ballot {
		l.since = l.clock.Now()
	}
	l.leader, l.config = seen.Leader, seen.Config
	listed := make(map[string]bool)
	for i := range seen.Candidates {
		listed[seen.Candidates[i].ID] = true
	}
	for _, name := range l.names {
		mark := laneNone
		switch {
		case l.crashed[name]:
		case seen.Leader.ID == name:
			mark = laneLeads
		case listed[name] && seen.Leader.Vacant():
			mark = laneVacant
		case listed[name]:
			mark = laneFollows
		}
		l.grow(name, mark)
	}
	l.draw("")
}

// grow extends the lane of a candidate to the current time.
func (l *lanes) grow(name string, mark rune) {
	length := int(l.clock.Now().Sub(l.begin)/laneStep) + 1
	for len(l.past[name]) < length {
		l.past[name] = append(l.past[name], mark)
	}
	if last := &l.past[name][len(l.past[name])-1]; *last != laneCrashes {
		*last = mark
	}
}

// Write prints text above the lanes.
func (l *lanes) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draw(string(text))
	return len(text), nil
}

// close draws the lanes for the last time, without the lease.
func (l *lanes) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.draw("")
}

// draw replaces the lanes on the screen with text and the new lanes below it, in one
// write.
func (l *lanes) draw(text string) {
	columns, height := l.size()
	var out strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA\r\x1b[J", l.drawn)
	}
	out.WriteString(text)
	rows := l.rows(columns)
	if len(rows)+4 > height || columns < 2*laneNames {
		rows = nil // there is no room for both
	}
	for _, r := range rows {
		out.WriteString(r.Cut(columns-1) + "\n")
	}
	l.drawn = len(rows)
	io.WriteString(l.out, out.String()) //nolint:errcheck // a terminal that fails cannot show an error
}

func (l *lanes) rows(columns int) []terminal.Row {
	p := l.palette
	rows := []terminal.Row{{}}
	width := min(laneWidth, columns-1-laneNames)
	for _, name := range l.names {
		rows = append(rows, append(terminal.Row{}.Add(terminal.Padded("  "+name, laneNames-2), nil), l.lane(name, width)...))
	}
	if l.over {
		return rows
	}
	lease := terminal.Row{}.Add(terminal.Padded("  lease", laneNames-2), nil)
	if l.leader.Vacant() {
		return append(rows, lease.Add("leadership is vacant", p.Dim))
	}
	now := l.clock.Now()
	left := max(l.leader.LeaseDuration-now.Sub(l.since), 0)
	paint := records.LeaseColour(p, l.leader, l.config, l.since, now)
	lease = append(lease, terminal.Bar(left, l.leader.LeaseDuration, min(30, width), paint, p.Dim)...)
	return append(rows, lease.Add(fmt.Sprintf("  %s  %s, term %d, ballot %d", output.Tenths(left), l.leader.ID, l.leader.Term, l.leader.Ballot), nil))
}

// lane returns the newest part of a lane, in colour.
func (l *lanes) lane(name string, width int) terminal.Row {
	past := l.past[name]
	past = past[max(len(past)-max(width, 0), 0):]
	var r terminal.Row
	for begin := 0; begin < len(past); {
		end := begin
		for end < len(past) && past[end] == past[begin] {
			end++
		}
		paint := l.palette.Dim
		switch past[begin] {
		case laneLeads:
			paint = l.palette.Good
		case laneCrashes:
			paint = l.palette.Bad
		}
		r = r.Add(string(past[begin:end]), paint)
		begin = end
	}
	return r
}
