package probe

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// Check returns nil if the process is ready now, and otherwise why it is not. It returns
// soon after ctx has ended. It is called one at a time.
type Check func(ctx context.Context) error

// Probe decides from the results of a check whether the process is ready.
type Probe struct {
	Check      Check
	Timeout    time.Duration // of one check
	Thresholds Thresholds
	Clock      elector.Clock
	Log        *slog.Logger

	mu      sync.Mutex // held during a check
	closed  bool
	verdict verdict
}

// errClosed is the error of Ready after Close.
var errClosed = errors.New("readiness is not checked any more")

// Close waits for a check that runs. Afterwards Ready starts none, so that run leaves none
// behind. The context of the check must have ended.
func (p *Probe) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

// Ready runs the check once. It returns nil if the process is ready by this result and the
// ones before it, and otherwise why it is not. If ctx ends, the check does not count, and
// Ready returns the cause.
func (p *Probe) Ready(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errClosed
	}
	limited, cancel := clock.WithTimeout(ctx, p.Clock, p.Timeout)
	defer cancel()
	result := p.Check(limited)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	before := p.verdict
	p.verdict = before.next(result, p.Thresholds)
	p.log(result, before)
	return p.verdict.unready(p.Thresholds)
}

// log logs the first verdict and each change.
func (p *Probe) log(result error, before verdict) {
	unready := p.verdict.unready(p.Thresholds)
	switch {
	case unready == nil && !before.ready:
		p.Log.Info("ready to lead")
	case unready != nil && (before.ready || before.inRow == 0):
		p.Log.Warn("not ready to lead", "reason", unready)
	case result != nil:
		p.Log.Debug("readiness check failed", "in_a_row", p.verdict.inRow, "reason", result)
	}
}
