package memkv

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"

	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// FoundationDB's defaults.
const (
	defaultWindow     = 5_000_000
	defaultMaxWatches = 10_000
)

// Options configure a DB. The zero value uses the real clock and real randomness.
type Options struct {
	// Now is the clock of versions and time limits. Nil means time.Now.
	Now func() time.Time
	// Sleep waits for d and returns nil, or returns ctx.Err() if ctx ends first.
	// The back-off of retries uses it. Nil means a timer.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter returns a random number in [0, 1) for the back-off. Nil means
	// rand.Float64.
	Jitter func() float64

	// Window is the number of versions for which a read version stays valid, a
	// million per second. Zero means FoundationDB's 5,000,000.
	Window int64
	// MaxWatches is the maximum number of outstanding watches. Zero means
	// FoundationDB's 10,000.
	MaxWatches int
	// FirstVersion is the version of the empty database. Zero means 1,000,000.
	FirstVersion int64
	// SizeLimit is the maximum size of a transaction in bytes. Zero means
	// 10,000,000.
	SizeLimit int

	// Hooks intercept the calls of clients. Nil means no hooks.
	Hooks *Hooks
	// KeepLog makes the database keep every commit for CommitLog.
	KeepLog bool
	// OnCommit is called with every commit, in order. The database is locked during
	// the call, so it must be fast and must not use the database. If there are
	// hooks, LogEntry.Acknowledged is not set yet.
	OnCommit func(LogEntry)
}

// DB is an in-memory database. It is safe for concurrent use.
type DB struct {
	*Client // without a name

	opts  Options
	hooks *Hooks

	transactions atomic.Uint64 // number of the last transaction
	counters     counters

	mu      sync.Mutex
	clock   versionClock
	items   map[string]*item
	order   btree.Map[string, *item]
	cleared []rangeWrite // in order of version
	garbage garbage
	watches watchList
	log     []*LogEntry
	touched []*item // watched keys that the current commit has written
	fired   []*Watch
}

var (
	_ kv.Database = (*DB)(nil)
	_ kv.Database = (*Client)(nil)
)

// New returns an empty database.
func New(opts Options) *DB {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Sleep == nil {
		opts.Sleep = clock.RealSleep
	}
	if opts.Jitter == nil {
		opts.Jitter = rand.Float64
	}
	if opts.Window == 0 {
		opts.Window = defaultWindow
	}
	if opts.MaxWatches == 0 {
		opts.MaxWatches = defaultMaxWatches
	}
	if opts.FirstVersion == 0 {
		opts.FirstVersion = 1_000_000
	}
	db := &DB{opts: opts, hooks: opts.Hooks, items: make(map[string]*item)}
	db.clock = versionClock{version: opts.FirstVersion, window: opts.Window, at: opts.Now()}
	db.Client = db.NewClient("", ClientOptions{})
	return db
}
