package probe

import (
	"context"
	"log/slog"
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

	verdict verdict
}

// Ready runs the check once. It returns nil if the process is ready by this result and the
// ones before it, and otherwise why it is not. If ctx ends, the check does not count, and
// Ready returns the cause. Call it one at a time.
func (p *Probe) Ready(ctx context.Context) error {
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
