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
)

// newViewer returns what shows the watch: a screen or lines.
func newViewer(a *session.Program, f *watchFlags) viewer[update] {
	p := terminal.PaletteFor(a.Stdout)
	if !f.tui {
		return &lines[update]{out: a.Stdout, output: f.Output, palette: p, found: func(u *update) []item { return itemsOf(u.news) }}
	}
	return &watchScreen{
		screen: openScreen(a.Stdout, a.Stdin, a.Clock, terminal.SizeOf(a.Stdout)), palette: p, program: a,
		title: f.title(),
	}
}

// title names what is watched.
func (f *watchFlags) title() string {
	return fmt.Sprintf("%s below %s in %s", output.Field(f.Name), output.Field(f.Root), f.SafeSpec())
}

// watchScreen shows a watch as a table that is redrawn.
type watchScreen struct {
	*screen
	palette terminal.Palette
	program *session.Program
	title   string

	last   *update // the last successful read
	now    update
	events []news // oldest first
}

var _ viewer[update] = (*watchScreen)(nil)

// keptEvents is more than a terminal shows.
const keptEvents = 200

func (w *watchScreen) show(u *update) error {
	w.now = *u
	if u.snapshot != nil {
		w.last = u
	}
	w.events = keep(w.events, u.news)
	return w.draw()
}

// keep returns the events that a screen keeps.
func keep[N any](events, more []N) []N {
	events = append(events, more...)
	return events[max(len(events)-keptEvents, 0):]
}

func (w *watchScreen) tick() <-chan struct{} { return w.ticks }
func (w *watchScreen) quit() <-chan struct{} { return w.quits }

func (w *watchScreen) draw() error { return w.screen.draw(w.rows) }

// close restores the terminal and prints the last event.
func (w *watchScreen) close() {
	w.screen.close()
	if len(w.events) > 0 {
		last := &w.events[len(w.events)-1]
		fmt.Fprintln(w.program.Stdout, eventPaint(w.palette, last.Event)(last.line()))
	}
}

// rows returns the table: the leader, the candidates, and the events that fit.
func (w *watchScreen) rows(columns, height int) []terminal.Row {
	rows := head(w.palette, "fdbelect watch", w.title, w.program)
	rows = append(rows, w.leaderRows(columns)...)
	rows = append(rows, problemRow(w.palette, w.now.problem)...)
	return fit(w.palette, append(rows, terminal.Row{}), w.candidateRows(), len(w.events), func(i int) terminal.Row { return w.eventRow(&w.events[i]) }, height)
}

// head returns the first rows of a screen.
func head(p terminal.Palette, command, title string, program *session.Program) []terminal.Row {
	clock := program.Clock.Wall().Format("15:04:05")
	return []terminal.Row{
		terminal.Row{}.Add(command, p.Bold).Add("  "+title, p.Dim),
		terminal.Row{}.Add(clock+"  q ends", p.Dim),
		{},
	}
}

// problemRow shows why the last read failed, if it did.
func problemRow(p terminal.Palette, problem string) []terminal.Row {
	if problem == "" {
		return nil
	}
	return []terminal.Row{terminal.Row{}.Add("problem   ", p.Bad).Add(output.Field(problem), p.Bad)}
}

// fit adds the rows of a table, with its heading, and the newest events below it, as many of both
// as fit.
func fit(p terminal.Palette, rows, table []terminal.Row, events int, event func(i int) terminal.Row, height int) []terminal.Row {
	room := height - len(rows) - 2 // two for the heading of the events
	shown := min(events, max(room-len(table), room/3))
	if most := max(room-shown, 2); len(table) > most {
		left := len(table) - most + 1
		table = append(table[:most-1], terminal.Row{}.Add(fmt.Sprintf("      and %d more", left), p.Dim))
	}
	rows = append(rows, table...)
	rows = append(rows, terminal.Row{}, terminal.Row{}.Add("EVENTS", p.Bold))
	for i := events - 1; i >= events-max(shown, 0) && i >= 0; i-- {
		rows = append(rows, event(i))
	}
	return rows
}

// leaderRows shows the leader, and the rest of the lease on the local clock, since its
// last renewal was seen.
func (w *watchScreen) leaderRows(columns int) []terminal.Row {
	p := w.palette
	if w.last == nil {
		return []terminal.Row{terminal.Row{}.Add("leader    ", p.Dim).Add("not known yet", p.Warn)}
	}
	s, now := w.last.snapshot, w.program.Clock.Now()
	l := s.Leader
	term := terminal.Row{}.Add("term      ", p.Dim).Add(fmt.Sprintf("%-10d", l.Term), nil).
		Add("ballot  ", p.Dim).Add(fmt.Sprintf("%-10d", l.Ballot), nil)
	if l.Vacant() {
		text := "none: leadership is vacant"
		if l.Ballot == 0 {
			text = "none yet"
		}
		return append([]terminal.Row{terminal.Row{}.Add("leader    ", p.Dim).Add(text, p.Warn), term, terminal.Row{}.Add("lease     -", p.Dim)}, w.warningRows(s)...)
	}
	term = term.Add("for  ", p.Dim).Add(output.Tenths(now.Sub(w.last.observation.TermSince))+", by "+l.AcquireReason.String(), nil)
	leader := terminal.Row{}.Add("leader    ", p.Dim).Add(l.Identity.String(), func(text string) string { return p.Bold(p.Good(text)) }).
		Add(fmt.Sprintf("  priority %d%s", l.Priority, records.PendingText(l.Accepted)), nil)
	return append([]terminal.Row{leader, term, w.leaseRow(now, columns)}, w.warningRows(s)...)
}

// leaseRow is a bar that gets shorter until the lease expires.
func (w *watchScreen) leaseRow(now time.Time, columns int) terminal.Row {
	p, l, since := w.palette, w.last.snapshot.Leader, w.last.observation.BallotSince
	left := l.LeaseDuration - now.Sub(since)
	r := terminal.Row{}.Add("lease     ", p.Dim)
	if left <= 0 {
		return r.Add(fmt.Sprintf("expired %s ago: no renewal was seen for %s", output.Tenths(-left), output.Duration(l.LeaseDuration)), p.Bad)
	}
	at := now
	if w.now.problem == "" {
		at = w.last.seen // the leader may have renewed since, unseen
	}
	paint := records.LeaseColour(p, l, w.last.snapshot.Config, since, at)
	return append(r, terminal.Bar(left, l.LeaseDuration, min(40, columns-36), paint, p.Dim)...).
		Add(fmt.Sprintf("  %s of %s", output.Tenths(left), output.Duration(l.LeaseDuration)), nil)
}

// warningRows shows what is unusual.
func (w *watchScreen) warningRows(s *records.Snapshot) []terminal.Row {
	var rows []terminal.Row
	if !s.Config.ElectionEnabled {
		rows = append(rows, terminal.Row{}.Add("disabled  no candidate may claim or renew", w.palette.Warn))
	}
	if s.Request.Kind != election.NoRequest && s.Request.Term == s.Leader.Term && !s.Leader.Vacant() {
		rows = append(rows, terminal.Row{}.Add("request   "+s.Request.String(), w.palette.Warn))
	}
	if s.Unreadable != nil {
		rows = append(rows, terminal.Row{}.Add("problem   "+output.Field(s.Unreadable.Error()), w.palette.Bad))
	}
	return rows
}

func (w *watchScreen) candidateRows() []terminal.Row {
	p := w.palette
	rows := []terminal.Row{terminal.Row{}.Add(terminal.Padded("RANK", 4)+terminal.Padded("CANDIDATE", candidateWidth)+terminal.Padded("ROLE", 8)+terminal.Padded("PRIORITY", 8)+terminal.Padded("HEARTBEAT", 9)+"TAGS", p.Bold)}
	if w.last == nil {
		return rows
	}
	s, now := w.last.snapshot, w.program.Clock.Now()
	for i := range s.Candidates {
		c := &s.Candidates[i]
		heartbeat := w.last.heartbeats[c.ID]
		role, paint := c.Role.String(), func(text string) string { return text }
		switch {
		case s.Leader.HeldBy(c.Identity):
			role, paint = "leader", p.Good
		case heartbeat.timedOut:
			paint = p.Bad
		}
		age := output.Tenths(now.Sub(heartbeat.since))
		if heartbeat.timedOut {
			age += " !"
		}
		rows = append(rows, terminal.Row{}.Add(terminal.Padded(fmt.Sprint(i+1), 4)+terminal.Padded(c.Identity.String(), candidateWidth)+terminal.Padded(role, 8)+
			terminal.Padded(fmt.Sprint(c.Priority), 8)+terminal.Padded(age, 9), paint).Add(candidateNotes(c), p.Dim))
	}
	return rows
}

// candidateNotes says why a candidate is not ready, and then its tags.
func candidateNotes(c *election.Candidate) string {
	if c.Ready() {
		return output.Metadata(c.Metadata)
	}
	return strings.TrimSpace(records.ReadyEvent(c) + "  " + output.Metadata(c.Metadata))
}

// candidateWidth is enough for most host names with an incarnation.
const candidateWidth = 26

// eventWidth is the length of the longest event.
const eventWidth = len(eventHeartbeatResumed)

func (w *watchScreen) eventRow(n *news) terminal.Row {
	who := "-"
	if n.Leader != nil {
		who = output.Field(n.Leader.ID)
	}
	if n.Candidate != nil {
		who = output.Field(n.Candidate.ID)
	}
	return terminal.Row{}.Add(n.Time.Format("15:04:05.000")+"  ", w.palette.Dim).
		Add(terminal.Padded(n.Event, eventWidth)+terminal.Padded(who, candidateWidth-9), eventPaint(w.palette, n.Event)).
		Add(fmt.Sprintf("term %d  ballot %d  ", n.Term, n.Ballot), w.palette.Dim).
		Add(election.SafeText(n.Reason), nil)
}
