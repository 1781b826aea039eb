package demo

import (
	"fmt"
	"io"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/elector"
)

// printer writes the text of a demo.
type printer struct {
	terminal.Palette
	out   io.Writer
	lanes *lanes // nil if the output is not a terminal
	clock elector.Clock
	start time.Time
}

func (p *printer) title() {
	fmt.Fprintf(p.out, "%s  Five candidates in one election, in the memory of this process.\n", p.Bold("fdbelect demo"))
	fmt.Fprintf(p.out, "Lease %s, renewed every %s. The leader writes payments, each in a transaction that\n"+
		"commits only in its own term.\n", demoLease, demoLease/3)
}

func (p *printer) groupTitle() {
	fmt.Fprintf(p.out, "%s  Four members of one group, in the memory of this process.\n", p.Bold("fdbelect demo groups"))
	fmt.Fprintf(p.out, "Lease %s, one heartbeat every %s for each member. The leader of each shard writes rows, each\n"+
		"in a transaction that commits only in the newest term of the shard.\n", demoLease, demoLease/3)
}

func (p *printer) chapter(number int, title string) {
	fmt.Fprintf(p.out, "\n%s\n", p.Bold(fmt.Sprintf("%d  %s", number, title)))
}

// event prints what happened, with the time since the start.
func (p *printer) event(format string, args ...any) {
	passed := p.clock.Now().Sub(p.start)
	fmt.Fprintf(p.out, "  %s  %s\n", p.Dim(fmt.Sprintf("%6.2fs", passed.Seconds())), fmt.Sprintf(format, args...))
}

// checked prints what a check found in the database.
func (p *printer) checked(format string, args ...any) {
	fmt.Fprintf(p.out, "  %s  %s\n", p.Good("     ok"), fmt.Sprintf(format, args...))
}

// markCrash marks the crash of a candidate in its lane, if there are lanes.
func (p *printer) markCrash(id string) {
	if p.lanes != nil {
		p.lanes.markCrash(id)
	}
}

func (p *printer) end() {
	fmt.Fprintf(p.out, "\n%s Every step was checked in the database. It took %.1f s.\n",
		p.Good("Done."), p.clock.Now().Sub(p.start).Seconds())
}
