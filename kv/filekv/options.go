package filekv

import (
	"context"
	"math/rand/v2"
	"os"
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
)

const (
	defaultMode        os.FileMode = 0o600
	defaultOpenTimeout             = 10 * time.Second
	defaultMaxWatches              = 10_000
)

// Options are the options of a DB. The zero value creates the store if it is missing,
// and uses the real clock and real randomness.
type Options struct {
	// MustExist makes Open fail if there is no store, so that a mistyped path does not
	// create one.
	MustExist bool
	// Mode is the permission of the files that Open creates, before the umask. Zero
	// means 0600. Every user of the store needs permission to read and write the
	// store, its lock file and its signal files.
	Mode os.FileMode
	// OpenTimeout limits how long, in real time, Open waits for processes that hold
	// the store. Zero means 10 s. Later waits are limited by the context of their
	// transaction.
	OpenTimeout time.Duration
	// MaxWatches is the maximum number of outstanding watches. Zero means 10,000.
	MaxWatches int

	// Now is the clock for versions, the age of read versions and time limits. nil
	// means time.Now. The clocks of processes that share a store should run at the
	// same rate. Versions always grow, even if a clock is wrong.
	Now func() time.Time
	// Sleep waits until d has passed or ctx has ended, and then returns ctx.Err(). nil
	// means a timer. The back-off of retries uses it. Waiting for other processes
	// always happens in real time.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter returns a number in [0, 1) for the back-off. nil means math/rand/v2.
	Jitter func() float64
}

// withDefaults returns the options with defaults for zero fields.
func (o Options) withDefaults() Options {
	if o.Mode == 0 {
		o.Mode = defaultMode
	}
	if o.OpenTimeout == 0 {
		o.OpenTimeout = defaultOpenTimeout
	}
	if o.MaxWatches == 0 {
		o.MaxWatches = defaultMaxWatches
	}
	if o.Now == nil {
		o.Now = realNow
	}
	if o.Sleep == nil {
		o.Sleep = clock.RealSleep
	}
	if o.Jitter == nil {
		o.Jitter = realJitter
	}
	return o
}

// realJitter is the default of Options.Jitter.
func realJitter() float64 {
	return rand.Float64() //nolint:forbidigo // the default of Options
}
