package terminal

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/fdbelection/fdbelection/elector"
)

// Progress is a bar on a terminal that shows how far a command is. If the output is not
// a terminal, it shows nothing. It is not for concurrent use.
type Progress struct {
	Out   io.Writer // nil: show nothing
	Clock elector.Clock

	bar   *progressbar.ProgressBar // nil while nothing is shown
	drawn time.Time
}

// progressInterval is the shortest time between two drawings.
const progressInterval = 100 * time.Millisecond

// NewProgress returns a bar on out. Call Done at the end.
func NewProgress(out io.Writer, c elector.Clock) *Progress {
	p := &Progress{Clock: c}
	if IsTerminal(out) {
		p.Out = out
	}
	return p
}

// Show draws the bar with text before it, at done of whole. text has to be safe to print.
// A call that comes too soon after the last drawing does nothing.
func (p *Progress) Show(text string, done, whole int64) {
	if p.Out == nil {
		return
	}
	now := p.Clock.Now()
	if p.bar != nil && now.Sub(p.drawn) < progressInterval {
		return
	}
	p.drawn = now
	p.Done()
	whole = max(whole, 1)
	done = min(max(done, 0), whole)
	p.bar = progressbar.NewOptions64(whole,
		progressbar.OptionSetWriter(p.Out),
		progressbar.OptionSetDescription(text),
		progressbar.OptionSetWidth(20),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
	)
	if 100*done < whole {
		_ = p.bar.RenderBlank() // Set64 draws nothing below one percent
		return
	}
	_ = p.bar.Set64(done)
}

// Done removes the bar, so that what follows is written in its place.
func (p *Progress) Done() {
	if p.bar != nil {
		_ = p.bar.Clear() // it only draws
		p.bar = nil
	}
}
