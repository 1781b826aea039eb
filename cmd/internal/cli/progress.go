package cli

import (
	"io"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// progress is one line on a terminal that is written over and over, and
// nothing where there is no terminal. It is not for several goroutines.
type progress struct {
	out   io.Writer // nil: nobody looks
	clock elector.Clock
	told  time.Time
	shown bool
}

// progressPace is how often the line changes, at most.
const progressPace = 100 * time.Millisecond

// say shows a text, which is safe to print and shorter than a line. One that
// comes too soon after another is left out.
func (p *progress) say(text string) {
	now := p.clock.Now()
	if p.out == nil || p.shown && now.Sub(p.told) < progressPace {
		return
	}
	p.told, p.shown = now, true
	io.WriteString(p.out, "\r\x1b[K"+text) //nolint:errcheck // nobody is left to be told
}

// done takes the line away, so that what follows stands at its place.
func (p *progress) done() {
	if p.shown {
		p.shown = false
		io.WriteString(p.out, "\r\x1b[K") //nolint:errcheck // nobody is left to be told
	}
}
