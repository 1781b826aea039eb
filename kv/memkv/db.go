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

// What FoundationDB does unless it is told otherwise.
const (
	// DefaultWindow is how many versions back a transaction may read, about five
	// seconds.
	DefaultWindow = 5_000_000
	// DefaultMaxWatches is how many watches may be outstanding at a time.
	DefaultMaxWatches = 10_000
)

// Options of a DB. The zero value runs on the real clock and real randomness.
type Options struct {
	// Now is the clock that versions and time limits follow; nil means time.Now.
	Now func() time.Time
	// Sleep waits until d has passed or ctx has ended, and returns ctx.Err() in
	// that case; nil means a timer. The back-off of retries uses it.
	Sleep func(ctx context.Context, d time.Duration) error
	// Jitter returns a number in [0, 1) for the back-off; nil means math/rand/v2.
	Jitter func() float64

	// Window is how many versions back a transaction may read; zero means
	// DefaultWindow.
	Window int64
	// MaxWatches is how many watches may be outstanding; zero means
	// DefaultMaxWatches.
	MaxWatches int
	// FirstVersion is the version of the empty database; zero means 1,000,000.
	FirstVersion int64
	// SizeLimit is the most bytes of one transaction; zero means 10,000,000.
	SizeLimit int

	// Hooks decide what happens to each call; nil means nothing does.
	Hooks *Hooks
	// KeepLog keeps every commit for CommitLog.
	KeepLog bool
	// OnCommit is called with every commit, in order, while the database is
	// locked: it must be quick and must not call the database. With hooks the
	// acknowledgement is yet to come.
	OnCommit func(LogEntry)
}

// DB is a database in memory. It is safe for concurrent use.
type DB struct {
	*Client // without a name

	opts  Options
	hooks *Hooks

	transactions atomic.Uint64 // numbers them
	counters     counters

	mu      sync.Mutex
	clock   versionClock
	items   map[string]*item
	order   btree.Map[string, *item]
	cleared []rangeWrite // in the order of their versions
	garbage garbage
	watches watchList
	log     []*LogEntry
	touched []*item // scratch of a commit: watched keys that it wrote
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
		opts.Window = DefaultWindow
	}
	if opts.MaxWatches == 0 {
		opts.MaxWatches = DefaultMaxWatches
	}
	if opts.FirstVersion == 0 {
		opts.FirstVersion = 1_000_000
	}
	db := &DB{opts: opts, hooks: opts.Hooks, items: make(map[string]*item)}
	db.clock = versionClock{version: opts.FirstVersion, window: opts.Window, at: opts.Now()}
	db.Client = db.NewClient("", ClientOptions{})
	return db
}
