package watch

import (
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
)

// viewer returns what shows the watch: a screen or lines.
func newViewer(a *session.Program, f *watchFlags) viewer {
	p := terminal.PaletteFor(a.Stdout)
	if !f.tui {
		return &lines{out: a.Stdout, output: f.Output, palette: p}
	}
	return &watchScreen{
		screen: openScreen(a.Stdout, a.Stdin, a.Clock, terminal.SizeOf(a.Stdout)), palette: p, program: a,
		title: fmt.Sprintf("%s below %s in %s", output.Field(f.Name), output.Field(f.Root), f.SafeSpec()),
	}
}

// watchScreen is a watch as a table that is drawn anew.
type watchScreen struct {
	*screen
	palette terminal.Palette
	program *session.Program
	title   string

	last   *update // the last one that saw something
	now    update
	events []news // newest last
}

var _ viewer = (*watchScreen)(nil)

// keptEvents is more than a terminal shows.
const keptEvents = 200

func (w *watchScreen) show(u *update) error {
	w.now = *u
	if u.sight != nil {
		w.last = u
	}
	w.events = append(w.events, u.news...)
	w.events = w.events[max(len(w.events)-keptEvents, 0):]
	return w.draw()
}

func (w *watchScreen) tick() <-chan struct{} { return w.ticks }
func (w *watchScreen) quit() <-chan struct{} { return w.quits }

func (w *watchScreen) draw() error { return w.screen.draw(w.rows) }

// close leaves behind what was seen last, where the table stood.
func (w *watchScreen) close() {
	w.screen.close()
	if len(w.events) > 0 {
		last := &w.events[len(w.events)-1]
		fmt.Fprintln(w.program.Stdout, eventPaint(w.palette, last.Event)(last.line()))
	}
}

// rows is the table: the seat, the candidates, and with what room is left the
// events.
func (w *watchScreen) rows(columns, height int) []terminal.Row {
	clock := w.program.Clock.Wall().Format("15:04:05")
	head := terminal.Row{}.Add("fdbelect watch", w.palette.Bold).Add("  "+w.title, w.palette.Dim)
	rows := []terminal.Row{head, terminal.Row{}.Add(clock+"  q ends", w.palette.Dim), {}}
	rows = append(rows, w.seatRows(columns)...)
	if w.now.trouble != "" {
		rows = append(rows, terminal.Row{}.Add("trouble   ", w.palette.Bad).Add(output.Field(w.now.trouble), w.palette.Bad))
	}
	rows = append(rows, terminal.Row{})
	room := height - len(rows) - 2 // two for the heading of the events
	candidates := w.candidateRows()
	events := min(len(w.events), max(room-len(candidates), room/3))
	if fit := max(room-events, 2); len(candidates) > fit {
		left := len(candidates) - fit + 1
		candidates = append(candidates[:fit-1], terminal.Row{}.Add(fmt.Sprintf("      and %d more", left), w.palette.Dim))
	}
	rows = append(rows, candidates...)
	rows = append(rows, terminal.Row{}, terminal.Row{}.Add("EVENTS", w.palette.Bold))
	for i := len(w.events) - 1; i >= len(w.events)-max(events, 0) && i >= 0; i-- {
		rows = append(rows, w.eventRow(&w.events[i]))
	}
	return rows
}

// seatRows tells who leads, and how long the lease still runs by the clock here:
// from when its last renewal was seen.
func (w *watchScreen) seatRows(columns int) []terminal.Row {
	p := w.palette
	if w.last == nil {
		return []terminal.Row{terminal.Row{}.Add("leader    ", p.Dim).Add("not known yet", p.Warn)}
	}
	s, now := w.last.sight, w.program.Clock.Now()
	seat := s.Leader
	term := terminal.Row{}.Add("term      ", p.Dim).Add(fmt.Sprintf("%-10d", seat.Term), nil).
		Add("ballot  ", p.Dim).Add(fmt.Sprintf("%-10d", seat.Ballot), nil)
	if seat.Vacant() {
		vacancy := "none: the seat is vacant"
		if seat.Ballot == 0 {
			vacancy = "none yet"
		}
		return append([]terminal.Row{terminal.Row{}.Add("leader    ", p.Dim).Add(vacancy, p.Warn), term, terminal.Row{}.Add("lease     -", p.Dim)}, w.noticeRows(s)...)
	}
	term = term.Add("for  ", p.Dim).Add(output.Tenths(now.Sub(w.last.seat.TermSince))+", by "+seat.AcquireReason.String(), nil)
	leader := terminal.Row{}.Add("leader    ", p.Dim).Add(seat.Identity.String(), func(text string) string { return p.Bold(p.Good(text)) }).
		Add(fmt.Sprintf("  priority %d%s", seat.Priority, records.PendingText(seat.Accepted)), nil)
	return append([]terminal.Row{leader, term, w.leaseRow(now, columns)}, w.noticeRows(s)...)
}

// leaseRow is a bar that runs down.
func (w *watchScreen) leaseRow(now time.Time, columns int) terminal.Row {
	p, seat, since := w.palette, w.last.sight.Leader, w.last.seat.BallotSince
	left := seat.LeaseDuration - now.Sub(since)
	r := terminal.Row{}.Add("lease     ", p.Dim)
	if left <= 0 {
		return r.Add(fmt.Sprintf("over for %s: no renewal was seen for %s", output.Tenths(-left), output.Duration(seat.LeaseDuration)), p.Bad)
	}
	at := now
	if w.now.trouble == "" {
		at = w.last.seen // since then the leader may have renewed, without having been seen yet
	}
	paint := records.LeaseColour(p, seat, w.last.sight.Config, since, at)
	return append(r, terminal.Bar(left, seat.LeaseDuration, min(40, columns-36), paint, p.Dim)...).
		Add(fmt.Sprintf("  %s of %s", output.Tenths(left), output.Duration(seat.LeaseDuration)), nil)
}

// noticeRows tell what is out of the ordinary.
func (w *watchScreen) noticeRows(s *records.Snapshot) []terminal.Row {
	var rows []terminal.Row
	if !s.Config.ElectionEnabled {
		rows = append(rows, terminal.Row{}.Add("disabled  no candidate may claim or renew", w.palette.Warn))
	}
	if s.Request.Kind != election.NoRequest && s.Request.Term == s.Leader.Term && !s.Leader.Vacant() {
		rows = append(rows, terminal.Row{}.Add("asked     "+s.Request.String(), w.palette.Warn))
	}
	if s.Unreadable != nil {
		rows = append(rows, terminal.Row{}.Add("trouble   "+output.Field(s.Unreadable.Error()), w.palette.Bad))
	}
	return rows
}

func (w *watchScreen) candidateRows() []terminal.Row {
	p := w.palette
	rows := []terminal.Row{terminal.Row{}.Add(terminal.Padded("RANK", 4)+terminal.Padded("CANDIDATE", candidateWidth)+terminal.Padded("ROLE", 8)+terminal.Padded("PRIORITY", 8)+terminal.Padded("HEARTBEAT", 9)+"TAGS", p.Bold)}
	if w.last == nil {
		return rows
	}
	s, now := w.last.sight, w.program.Clock.Now()
	for i := range s.Candidates {
		c := &s.Candidates[i]
		pulse := w.last.pulses[c.ID]
		role, paint := c.Role.String(), func(text string) string { return text }
		switch {
		case s.Leader.HeldBy(c.Identity):
			role, paint = "leader", p.Good
		case pulse.quiet:
			paint = p.Bad
		}
		beat := output.Tenths(now.Sub(pulse.since))
		if pulse.quiet {
			beat += " !"
		}
		rows = append(rows, terminal.Row{}.Add(terminal.Padded(fmt.Sprint(i+1), 4)+terminal.Padded(c.Identity.String(), candidateWidth)+terminal.Padded(role, 8)+
			terminal.Padded(fmt.Sprint(c.Priority), 8)+terminal.Padded(beat, 9), paint).Add(output.Metadata(c.Metadata), p.Dim))
	}
	return rows
}

// candidateWidth is room for the names of most hosts, with an incarnation.
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
