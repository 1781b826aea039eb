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
	// lanePace is the time between two drawings, laneStep that of one character.
	lanePace = 100 * time.Millisecond
	laneStep = 200 * time.Millisecond
	// laneWidth is room for the whole story.
	laneWidth = 76
	// laneNames is room for a name, and what stands left of it.
	laneNames = 9
)

// The characters of a lane.
const (
	laneAbsent  = ' '
	laneWaits   = '·'
	laneFollows = '─'
	laneLeads   = '█'
	laneCrashes = '✗'
)

// lanes are the lines at the foot of a demo on a terminal: what each candidate
// was over time, and the lease that runs down. The account goes on above them.
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
	since   time.Time // of its ballot
	begin   time.Time
	drawn   int // lines
	over    bool
	stop    func()
}

func newLanes(out io.Writer, c elector.Clock, p terminal.Palette, size func() (columns, rows int)) *lanes {
	return &lanes{
		out: out, clock: c, palette: p, size: size, begin: c.Now(), stop: func() {},
		names: append(append([]string{}, demoEquals...), demoFifth),
		past:  make(map[string][]rune), crashed: make(map[string]bool),
	}
}

// follow draws what the database of a stage says, until close.
func (l *lanes) follow(s *stage) {
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for clock.Sleep(ctx, l.clock, lanePace) == nil {
			seen, err := kv.ReadTransact(ctx, s.db, func(tr kv.ReadTransaction) (records.Listing, error) { return records.ReadListing(s.election, tr) })
			if err == nil { // else there is nothing yet
				l.sample(&seen)
			}
		}
	}()
	io.WriteString(l.out, "\x1b[?25l") //nolint:errcheck // nobody is left to be told
	l.stop = func() {
		cancel()
		<-done
		l.close()
		io.WriteString(l.out, "\x1b[?25h") //nolint:errcheck // nobody is left to be told
	}
}

// crash marks who has crashed: the database does not know.
func (l *lanes) crash(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.crashed[id] = true
	l.grow(id, laneCrashes)
}

// sample takes in what was seen, and draws it.
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
		mark := laneAbsent
		switch {
		case l.crashed[name]:
		case seen.Leader.ID == name:
			mark = laneLeads
		case listed[name] && seen.Leader.Vacant():
			mark = laneWaits
		case listed[name]:
			mark = laneFollows
		}
		l.grow(name, mark)
	}
	l.draw("")
}

// grow fills the lane of a candidate up to now.
func (l *lanes) grow(name string, mark rune) {
	length := int(l.clock.Now().Sub(l.begin)/laneStep) + 1
	for len(l.past[name]) < length {
		l.past[name] = append(l.past[name], mark)
	}
	if last := &l.past[name][len(l.past[name])-1]; *last != laneCrashes {
		*last = mark
	}
}

// Write adds to the account, above the lanes.
func (l *lanes) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.draw(string(text))
	return len(text), nil
}

// close leaves the lanes as they are, without the lease.
func (l *lanes) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
	l.draw("")
}

// draw writes text where the lanes stand, and them below it, in one write.
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
	io.WriteString(l.out, out.String()) //nolint:errcheck // nobody is left to be told
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
		return append(rows, lease.Add("the seat is vacant", p.Dim))
	}
	now := l.clock.Now()
	left := max(l.leader.LeaseDuration-now.Sub(l.since), 0)
	paint := records.LeaseColour(p, l.leader, l.config, l.since, now)
	lease = append(lease, terminal.Bar(left, l.leader.LeaseDuration, min(30, width), paint, p.Dim)...)
	return append(rows, lease.Add(fmt.Sprintf("  %s  %s, term %d, ballot %d", output.Tenths(left), l.leader.ID, l.leader.Term, l.leader.Ballot), nil))
}

// lane is the newest part of what a candidate was, each part in its colour.
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
