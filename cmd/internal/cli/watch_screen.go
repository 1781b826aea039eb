package cli

import (
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// viewer returns what shows the watch: a screen or lines.
func newViewer(a *program, f *watchFlags) viewer {
	p := paletteFor(a.stdout)
	if !f.tui {
		return &lines{out: a.stdout, output: f.output, palette: p}
	}
	return &watchScreen{
		screen: openScreen(a.stdout, a.stdin, a.clock, sizeOf(a.stdout)), palette: p, program: a,
		title: fmt.Sprintf("%s below %s in %s", field(f.name), field(f.root), f.safe()),
	}
}

// watchScreen is a watch as a table that is drawn anew.
type watchScreen struct {
	*screen
	palette palette
	program *program
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
		fmt.Fprintln(w.program.stdout, eventPaint(w.palette, last.Event)(last.line()))
	}
}

// rows is the table: the seat, the candidates, and with what room is left the
// events.
func (w *watchScreen) rows(columns, height int) []row {
	clock := w.program.clock.Wall().Format("15:04:05")
	head := row{}.add("fdbelect watch", w.palette.bold).add("  "+w.title, w.palette.dim)
	rows := []row{head, row{}.add(clock+"  q ends", w.palette.dim), {}}
	rows = append(rows, w.seatRows(columns)...)
	if w.now.trouble != "" {
		rows = append(rows, row{}.add("trouble   ", w.palette.bad).add(field(w.now.trouble), w.palette.bad))
	}
	rows = append(rows, row{})
	room := height - len(rows) - 2 // two for the heading of the events
	candidates := w.candidateRows()
	events := min(len(w.events), max(room-len(candidates), room/3))
	if fit := max(room-events, 2); len(candidates) > fit {
		left := len(candidates) - fit + 1
		candidates = append(candidates[:fit-1], row{}.add(fmt.Sprintf("      and %d more", left), w.palette.dim))
	}
	rows = append(rows, candidates...)
	rows = append(rows, row{}, row{}.add("EVENTS", w.palette.bold))
	for i := len(w.events) - 1; i >= len(w.events)-max(events, 0) && i >= 0; i-- {
		rows = append(rows, w.eventRow(&w.events[i]))
	}
	return rows
}

// seatRows tells who leads, and how long the lease still runs by the clock here:
// from when its last renewal was seen.
func (w *watchScreen) seatRows(columns int) []row {
	p := w.palette
	if w.last == nil {
		return []row{row{}.add("leader    ", p.dim).add("not known yet", p.warn)}
	}
	s, now := w.last.sight, w.program.clock.Now()
	seat := s.Leader
	term := row{}.add("term      ", p.dim).add(fmt.Sprintf("%-10d", seat.Term), nil).
		add("ballot  ", p.dim).add(fmt.Sprintf("%-10d", seat.Ballot), nil)
	if seat.Vacant() {
		vacancy := "none: the seat is vacant"
		if seat.Ballot == 0 {
			vacancy = "none yet"
		}
		return append([]row{row{}.add("leader    ", p.dim).add(vacancy, p.warn), term, row{}.add("lease     -", p.dim)}, w.noticeRows(s)...)
	}
	term = term.add("for  ", p.dim).add(tenths(now.Sub(w.last.seat.TermSince))+", by "+seat.AcquireReason.String(), nil)
	leader := row{}.add("leader    ", p.dim).add(seat.Identity.String(), func(text string) string { return p.bold(p.good(text)) }).
		add(fmt.Sprintf("  priority %d%s", seat.Priority, pending(seat.Accepted)), nil)
	return append([]row{leader, term, w.leaseRow(now, columns)}, w.noticeRows(s)...)
}

// leaseRow is a bar that runs down.
func (w *watchScreen) leaseRow(now time.Time, columns int) row {
	p, seat, since := w.palette, w.last.sight.Leader, w.last.seat.BallotSince
	left := seat.LeaseDuration - now.Sub(since)
	r := row{}.add("lease     ", p.dim)
	if left <= 0 {
		return r.add(fmt.Sprintf("over for %s: no renewal was seen for %s", tenths(-left), duration(seat.LeaseDuration)), p.bad)
	}
	at := now
	if w.now.trouble == "" {
		at = w.last.seen // since then the leader may have renewed, without having been seen yet
	}
	paint := leaseColour(p, seat, w.last.sight.Config, since, at)
	return append(r, bar(left, seat.LeaseDuration, min(40, columns-36), paint, p.dim)...).
		add(fmt.Sprintf("  %s of %s", tenths(left), duration(seat.LeaseDuration)), nil)
}

// noticeRows tell what is out of the ordinary.
func (w *watchScreen) noticeRows(s *sight) []row {
	var rows []row
	if !s.Config.ElectionEnabled {
		rows = append(rows, row{}.add("disabled  no candidate may claim or renew", w.palette.warn))
	}
	if s.Request.Kind != election.NoRequest && s.Request.Term == s.Leader.Term && !s.Leader.Vacant() {
		rows = append(rows, row{}.add("asked     "+s.Request.String(), w.palette.warn))
	}
	if s.unreadable != nil {
		rows = append(rows, row{}.add("trouble   "+field(s.unreadable.Error()), w.palette.bad))
	}
	return rows
}

func (w *watchScreen) candidateRows() []row {
	p := w.palette
	rows := []row{row{}.add(padded("RANK", 4)+padded("CANDIDATE", candidateWidth)+padded("ROLE", 8)+padded("PRIORITY", 8)+padded("HEARTBEAT", 9)+"TAGS", p.bold)}
	if w.last == nil {
		return rows
	}
	s, now := w.last.sight, w.program.clock.Now()
	for i := range s.candidates {
		c := &s.candidates[i]
		pulse := w.last.pulses[c.ID]
		role, paint := c.Role.String(), func(text string) string { return text }
		switch {
		case s.Leader.HeldBy(c.Identity):
			role, paint = "leader", p.good
		case pulse.quiet:
			paint = p.bad
		}
		beat := tenths(now.Sub(pulse.since))
		if pulse.quiet {
			beat += " !"
		}
		rows = append(rows, row{}.add(padded(fmt.Sprint(i+1), 4)+padded(c.Identity.String(), candidateWidth)+padded(role, 8)+
			padded(fmt.Sprint(c.Priority), 8)+padded(beat, 9), paint).add(tagsText(c.Metadata), p.dim))
	}
	return rows
}

// candidateWidth is room for the names of most hosts, with an incarnation.
const candidateWidth = 26

func (w *watchScreen) eventRow(n *news) row {
	who := "-"
	if n.Leader != nil {
		who = field(n.Leader.ID)
	}
	if n.Candidate != nil {
		who = field(n.Candidate.ID)
	}
	return row{}.add(n.Time.Format("15:04:05.000")+"  ", w.palette.dim).
		add(padded(n.Event, 9)+padded(who, candidateWidth-9), eventPaint(w.palette, n.Event)).
		add(fmt.Sprintf("term %d  ballot %d  ", n.Term, n.Ballot), w.palette.dim).
		add(election.SafeText(n.Reason), nil)
}
