package memkv

import (
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// versionsPerSecond is the rate at which versions grow.
const versionsPerSecond = 1_000_000

// recoveryJump is how far a recovery advances the version, about 100 seconds.
const recoveryJump = 100_000_000

// versionClock assigns versions. FoundationDB advances the version with each batch
// of commits by the time since the last batch, by at least one and at most five
// seconds' worth. Its proxies send empty batches when idle, so that maximum has no
// visible effect, and versionClock does not have it.
type versionClock struct {
	version int64
	floor   int64 // the oldest readable version since the last recovery
	window  int64
	at      time.Time // the time at which version was current
}

// advance advances the version to now, and by at least least.
func (c *versionClock) advance(now time.Time, least int64) int64 {
	step := int64(0)
	if dt := now.Sub(c.at); dt > 0 {
		step = int64(dt / (time.Second / versionsPerSecond))
		c.at = c.at.Add(time.Duration(step) * (time.Second / versionsPerSecond))
	} else if dt < 0 {
		c.at = now // the clock was set back
	}
	c.version += max(step, least)
	return c.version
}

// oldest returns the oldest readable version.
func (c *versionClock) oldest() int64 { return max(c.floor, c.version-c.window) }

// check returns an error if version is not readable.
func (c *versionClock) check(version int64) error {
	switch {
	case version < c.oldest():
		return kv.Error{Code: kv.CodeTransactionTooOld}
	case version > c.version:
		return kv.Error{Code: kv.CodeFutureVersion}
	}
	return nil
}

// Recover simulates a recovery of the cluster. It advances the version by
// 100,000,000, and every transaction that has a read version becomes too old. To
// make calls in flight fail with 1021, use Hooks.
func (db *DB) Recover() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.clock.advance(db.opts.Now(), 0)
	db.clock.version += recoveryJump
	db.clock.floor = db.clock.version
}

// Version returns the current version.
func (db *DB) Version() int64 {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.clock.advance(db.opts.Now(), 0)
}
