package demo

import (
	"fmt"
	"io"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/elector"
)

// narrator writes the account of a demo.
type narrator struct {
	terminal.Palette
	out   io.Writer
	live  *lanes // nil: the account is all there is
	clock elector.Clock
	start time.Time
}

func (n *narrator) title() {
	fmt.Fprintf(n.out, "%s  Five candidates and one seat, in the memory of this process.\n", n.Bold("fdbelect demo"))
	fmt.Fprintf(n.out, "Lease %s, renewed every %s. While it leads, a candidate books payments, each in a\n"+
		"transaction that commits only under its own term.\n", demoLease, demoLease/3)
}

func (n *narrator) chapter(number int, title string) {
	fmt.Fprintf(n.out, "\n%s\n", n.Bold(fmt.Sprintf("%d  %s", number, title)))
}

// event tells what happened, with the time since the beginning.
func (n *narrator) event(format string, args ...any) {
	passed := n.clock.Now().Sub(n.start)
	fmt.Fprintf(n.out, "  %s  %s\n", n.Dim(fmt.Sprintf("%6.2fs", passed.Seconds())), fmt.Sprintf(format, args...))
}

// checked tells what was found in the database.
func (n *narrator) checked(format string, args ...any) {
	fmt.Fprintf(n.out, "  %s  %s\n", n.Good("     ok"), fmt.Sprintf(format, args...))
}

// crash tells the lanes, if there are any, that a candidate has crashed.
func (n *narrator) crash(id string) {
	if n.live != nil {
		n.live.crash(id)
	}
}

func (n *narrator) end() {
	fmt.Fprintf(n.out, "\n%s All of it happened, as the database has it, in %.1f s.\n",
		n.Good("Done."), n.clock.Now().Sub(n.start).Seconds())
}
