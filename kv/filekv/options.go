package filekv

import (
	"context"
	"math/rand/v2"
	"os"
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// What is used where Options say nothing.
const (
	// DefaultMode lets only the owner read and write the store.
	DefaultMode os.FileMode = 0o600
	// DefaultOpenTimeout bounds how long Open waits for other processes.
	DefaultOpenTimeout = 10 * time.Second
	// DefaultMaxWatches is how many watches may be outstanding in one DB.
	DefaultMaxWatches = 10_000
)

// Options of a DB. The zero value creates a store that is missing, and runs on
// the real clock and real randomness.
type Options struct {
	// MustExist makes Open fail where there is no store, so that a mistyped path
	// of a command that only looks does not make one.
	MustExist bool
	// Mode is the permission of the files that Open creates, before the umask;
	// zero means DefaultMode. Everybody who may use the store needs to read and
	// write the store, its lock file and its signal files.
	Mode os.FileMode
	// OpenTimeout bounds, in real time, how long Open waits for processes that
	// hold the store; zero means DefaultOpenTimeout. Later waits are bounded by
	// the context of their transaction.
	OpenTimeout time.Duration
	// MaxWatches is how many watches may be outstanding; zero means
	// DefaultMaxWatches.
	MaxWatches int

	// Now is the clock that versions, the life of read versions and time limits
	// follow; nil means time.Now. Processes that share a store should have
	// clocks that agree in rate; versions grow whatever the clocks do.
	Now func() time.Time
	// Sleep waits until d has passed or ctx has ended, and returns ctx.Err() in
	// that case; nil means a timer. The back-off of retries uses it. Waiting for
	// other processes does not: that can only be done in real time.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter returns a number in [0, 1) for the back-off; nil means math/rand/v2.
	Jitter func() float64
}

// withDefaults returns the options with every gap filled.
func (o Options) withDefaults() Options {
	if o.Mode == 0 {
		o.Mode = DefaultMode
	}
	if o.OpenTimeout == 0 {
		o.OpenTimeout = DefaultOpenTimeout
	}
	if o.MaxWatches == 0 {
		o.MaxWatches = DefaultMaxWatches
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

// realJitter is the Jitter of Options that have none.
func realJitter() float64 {
	return rand.Float64() //nolint:forbidigo // what nil in Options means
}
