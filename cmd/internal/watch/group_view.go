package watch

import (
	"fmt"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/groupview"
)

// newGroupViewer returns what shows the watch of a group: a screen or lines.
func newGroupViewer(a *session.Program, f *watchFlags) viewer[groupUpdate] {
	p := terminal.PaletteFor(a.Stdout)
	if !f.tui {
		return &lines[groupUpdate]{out: a.Stdout, output: f.Output, palette: p, found: func(u *groupUpdate) []item { return itemsOf(u.news) }}
	}
	return &groupScreen{
		screen: openScreen(a.Stdout, a.Stdin, a.Clock, terminal.SizeOf(a.Stdout)), palette: p, program: a, title: f.title(),
	}
}

// groupScreen shows the watch of a group as a table that is redrawn.
type groupScreen struct {
	*screen
	palette terminal.Palette
	program *session.Program
	title   string

	last   *groupUpdate // the last successful read
	now    groupUpdate
	events []groupEvents // oldest first
}

// groupEvents are events within a second that differ in the shard only.
type groupEvents struct {
	groupNews // the first one
	count     int
}

var _ viewer[groupUpdate] = (*groupScreen)(nil)

func (w *groupScreen) show(u *groupUpdate) error {
	w.now = *u
	if u.read {
		w.last = u
	}
	for i := range u.news {
		w.add(&u.news[i])
	}
	return w.draw()
}

// add adds an event to those of the last second that are alike, or else to the end.
func (w *groupScreen) add(n *groupNews) {
	for i := len(w.events) - 1; i >= 0 && n.Shard != "" && n.Time.Sub(w.events[i].Time) < time.Second; i-- {
		if e := &w.events[i]; e.alike(n) {
			e.count++
			return
		}
	}
	w.events = keep(w.events, []groupEvents{{*n, 1}})
}

// alike reports whether two events differ in the shard and its term only.
func (n *groupNews) alike(other *groupNews) bool {
	return n.Shard != "" && n.Event == other.Event && n.Reason == other.Reason &&
		whoText(n.From) == whoText(other.From) && whoText(n.To) == whoText(other.To) && whoText(n.Member) == whoText(other.Member)
}

func (w *groupScreen) tick() <-chan struct{} { return w.ticks }
func (w *groupScreen) quit() <-chan struct{} { return w.quits }
func (w *groupScreen) draw() error           { return w.screen.draw(w.rows) }

// close restores the terminal and prints the last event.
func (w *groupScreen) close() {
	w.screen.close()
	if len(w.events) > 0 {
		last := &w.events[len(w.events)-1]
		fmt.Fprintln(w.program.Stdout, eventPaint(w.palette, last.Event)(last.line()))
	}
}

// rows returns the table: the shards, the members, and the events that fit.
func (w *groupScreen) rows(columns, height int) []terminal.Row {
	rows := head(w.palette, "fdbelect group watch", w.title, w.program)
	rows = append(rows, w.shardRows(columns)...)
	rows = append(rows, problemRow(w.palette, w.now.problem)...)
	return fit(w.palette, append(rows, terminal.Row{}), w.memberRows(columns), len(w.events),
		func(i int) terminal.Row { return w.eventRow(&w.events[i]) }, height)
}

// shardRows shows how many shards are led, and what is unusual.
func (w *groupScreen) shardRows(columns int) []terminal.Row {
	p := w.palette
	if w.last == nil {
		return []terminal.Row{terminal.Row{}.Add("shards    ", p.Dim).Add("not known yet", p.Warn)}
	}
	u := w.last
	led := u.shards - u.counts.Free - u.counts.Damaged
	paint := p.Good
	if led < u.shards {
		paint = p.Warn
	}
	row := terminal.Row{}.Add("led       ", p.Dim)
	row = append(row, terminal.Bar(time.Duration(led), time.Duration(u.shards), min(40, columns-36), paint, p.Dim)...)
	rows := []terminal.Row{
		row.Add(fmt.Sprintf("  %d of %d, %d free", led, u.shards, u.counts.Free), nil),
		terminal.Row{}.Add("wanted    ", p.Dim).Add(fmt.Sprintf("%s, %s", output.Count(u.counts.Pins, "pin"), output.Count(u.counts.Requests, "request")), nil),
	}
	if u.config.Revision > 0 && !u.config.Enabled {
		rows = append(rows, terminal.Row{}.Add("disabled  no member may lead", p.Warn))
	}
	if u.damaged != "" {
		rows = append(rows, terminal.Row{}.Add("problem   "+output.Field(u.damaged), p.Bad))
	}
	return rows
}

// loadWidth is the width of the bar of a member.
const loadWidth = 24

func (w *groupScreen) memberRows(columns int) []terminal.Row {
	p := w.palette
	width := max(min(loadWidth, columns-50), 4)
	rows := []terminal.Row{terminal.Row{}.Add(terminal.Padded("MEMBER", candidateWidth)+terminal.Padded("SHARDS", 6)+
		terminal.Padded("LOAD", width)+terminal.Padded("HEARTBEAT", 9)+"STATE", p.Bold)}
	if w.last == nil {
		return rows
	}
	most, passed := 1, w.program.Clock.Now().Sub(w.last.seen)
	for i := range w.last.members {
		most = max(most, w.last.members[i].Shards)
	}
	for i := range w.last.members {
		m := &w.last.members[i]
		age, paint := "-", statePaint(p, m)
		if m.Age != nil {
			age = output.Tenths(*m.Age + passed)
		}
		row := terminal.Row{}.Add(terminal.Padded(m.Identity().String(), candidateWidth)+terminal.Padded(fmt.Sprint(m.Shards), 6), paint)
		row = append(row, terminal.Bar(time.Duration(m.Shards), time.Duration(most), width, paint, p.Dim)...)
		rows = append(rows, row.Add("  "+terminal.Padded(age, 9)+m.State(), paint).Add("  "+memberNotes(m), p.Dim))
	}
	return rows
}

func statePaint(p terminal.Palette, m *groupview.Member) func(string) string {
	switch m.State() {
	case groupview.StateReady:
		return p.Good
	case groupview.StateSilent, groupview.StateUnreadable:
		return p.Bad
	default:
		return p.Warn
	}
}

// memberNotes says why a member is not ready, and then its tags.
func memberNotes(m *groupview.Member) string {
	if m.Record == nil {
		return ""
	}
	return strings.TrimSpace(records.ShortReason(m.Record.NotReady) + "  " + output.Metadata(m.Record.Tags))
}

func (w *groupScreen) eventRow(n *groupEvents) terminal.Row {
	what := ""
	switch {
	case n.count > 1:
		what = output.Count(n.count, "shard")
	case n.Shard != "":
		what = output.Field(n.Shard)
	case n.Member != nil:
		what = output.Field(n.Member.ID)
	}
	row := terminal.Row{}.Add(n.Time.Local().Format("15:04:05.000")+"  ", w.palette.Dim).
		Add(terminal.Padded(n.Event, eventWidth)+terminal.Padded(what, candidateWidth-9), eventPaint(w.palette, n.Event))
	if n.From != nil || n.To != nil {
		row = row.Add(whoText(n.From)+" -> "+whoText(n.To)+"  ", nil)
	}
	return row.Add(election.SafeText(n.Reason), w.palette.Dim)
}

func whoText(who *output.Identity) string {
	if who == nil {
		return "-"
	}
	return output.Field(who.ID)
}
