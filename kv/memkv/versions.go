package memkv

import (
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// versionsPerSecond is how fast versions grow while time passes.
const versionsPerSecond = 1_000_000

// recoveryJump is how far a recovery moves the version on, about 100 seconds.
const recoveryJump = 100_000_000

// versionClock gives out versions. FoundationDB moves the version on with each
// batch of commits, by the time since the last batch, at least by one and at
// most by five seconds' worth. As its proxies send empty batches when there is
// nothing to do, the bound above never shows, and is left out.
type versionClock struct {
	version int64
	floor   int64 // no older version is readable, since a recovery
	window  int64
	at      time.Time // the time that version stands for
}

// advance moves the version on to now, and by no less than least.
func (c *versionClock) advance(now time.Time, least int64) int64 {
	step := int64(0)
	if dt := now.Sub(c.at); dt > 0 {
		step = int64(dt / (time.Second / versionsPerSecond))
		c.at = c.at.Add(time.Duration(step) * (time.Second / versionsPerSecond))
	} else if dt < 0 {
		c.at = now // the clock was set back; go on from here
	}
	c.version += max(step, least)
	return c.version
}

// oldest is the oldest version that can be read.
func (c *versionClock) oldest() int64 { return max(c.floor, c.version-c.window) }

// check answers a read version that the database cannot serve.
func (c *versionClock) check(version int64) error {
	switch {
	case version < c.oldest():
		return kv.Error{Code: kv.CodeTransactionTooOld}
	case version > c.version:
		return kv.Error{Code: kv.CodeFutureVersion}
	}
	return nil
}

// Recover does to the versions what a recovery of the cluster does: it moves
// them on by 1e8, and every transaction that has a read version is too old.
// Which calls in flight are answered with 1021 is for the hooks to decide.
func (db *DB) Recover() {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.clock.advance(db.opts.Now(), 0)
	db.clock.version += recoveryJump
	db.clock.floor = db.clock.version
}

// Version returns the newest version.
func (db *DB) Version() int64 {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.clock.advance(db.opts.Now(), 0)
}
