package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// offset is how far the clock of a candidate's host is ahead of the local clock.
type offset struct {
	id    string
	ahead time.Duration
	known bool // its time was seen soon after it was written; else ahead is a lower bound
}

const (
	// The growth of versions is observed for rateTime at least and rateLimit at most. An
	// idle FoundationDB cluster raises its version only with the empty commits of its
	// proxies, up to two seconds apart.
	rateTime     = time.Second
	rateLimit    = 6 * time.Second
	rateInterval = 10 * time.Millisecond
	// versionsPerSecond is how fast FoundationDB's versions grow.
	versionsPerSecond = 1_000_000
)

// versionRate is how much versions grew, and in what time. passed is zero if they did not
// change twice.
type versionRate struct {
	grown  int64
	passed time.Duration
}

// measureRate observes how versions grow, from one change that it sees to a later one.
func (e *examination) measureRate(ctx context.Context) error {
	if scheme, _, _ := strings.Cut(e.Store, ":"); scheme == "file" || scheme == "mem" {
		return nil // their versions grow with commits only
	}
	c := e.session.Program.Clock
	e.rate = &versionRate{}
	var last, first int64
	var since time.Time
	for begin := c.Now(); c.Now().Sub(begin) < rateLimit; {
		e.progress.Show("watching how versions grow", int64(c.Now().Sub(begin)), int64(rateLimit))
		version, err := session.ReadTransact(ctx, e.session, func(tr kv.ReadTransaction) (int64, error) { return tr.GetReadVersion().Get() })
		if err != nil {
			return err
		}
		now := c.Now()
		switch changed := version != last && last != 0; {
		case changed && first == 0:
			first, since = version, now
		case changed && now.Sub(since) >= rateTime:
			e.rate = &versionRate{grown: version - first, passed: now.Sub(since)}
			return nil
		}
		last = version
		if err := clock.Sleep(ctx, c, rateInterval); err != nil {
			return err
		}
	}
	return nil
}

// checkRate compares the growth of versions with the local clock, if versions are a clock.
func (e *examination) checkRate() {
	if e.rate == nil {
		return
	}
	if e.rate.passed == 0 {
		e.warn("the database does not return newer versions: it hangs or is recovering", "see the database's own status; run doctor again",
			"versions did not change twice within %s", rateLimit)
		return
	}
	rate := float64(e.rate.grown) / e.rate.passed.Seconds() / versionsPerSecond
	switch {
	case rate > 2:
		e.warn("the database has recovered, or its clock has jumped; open transactions have expired", "see the database's own status; run doctor again",
			"versions grew %.1f times as fast as the local clock", rate)
	case rate < 0.8 || rate > 1.2:
		e.warn("the clock of the database or of this host has the wrong rate, or the database hung", "run doctor again; compare the local clock with another",
			"versions grew %.2f times as fast as the local clock", rate)
	default:
		e.ok("versions grew %.2f times as fast as the local clock", rate)
	}
}

// checkClocks reports what is known of clocks without relying on one: times in the future,
// times that were seen soon after they were written, the order of the history, and how
// fast versions grow.
func (e *examination) checkClocks() {
	e.begin("clock")
	if e.slow {
		e.skip("whether clocks agree")
		return
	}
	before := e.Warnings + e.Failures
	e.checkRate()
	tolerance := records.ClockTolerance(&e.status.Config)
	fresh, worst := e.checkOffsets(tolerance)
	for i := 1; i < len(e.history); i++ {
		if back := e.history[i-1].At.Sub(e.history[i].At); back > tolerance {
			e.warn("a clock was set back, or hosts differ", "make sure that all hosts get their time from the same source", "the history goes back by %s at term %d", output.Age(back), e.history[i].Term)
			break
		}
	}
	switch {
	case e.Warnings+e.Failures > before:
	case fresh:
		e.ok("new times of other hosts are within %s of the local clock", output.Age(worst))
	default:
		e.ok("no time is in the future; more is not known without a new one")
	}
}

// checkOffsets compares times with the local clock. It reports whether one of them was
// new, and by how much the new ones differ at most.
func (e *examination) checkOffsets(tolerance time.Duration) (fresh bool, worst time.Duration) {
	offsets := e.offsets
	for _, c := range e.candidates {
		if ahead, seen := e.heartbeats.Ahead[c.Identity]; seen {
			offsets = append(offsets, offset{c.ID, ahead, true})
		}
	}
	for _, c := range e.candidates {
		offsets = append(offsets, offset{c.ID, c.LastHeartbeat.Sub(e.readAt), false})
	}
	if l := e.status.Leader; !l.Vacant() && !e.lost {
		offsets = append(offsets, offset{l.ID, l.LeaseExpiry.Add(-l.LeaseDuration).Sub(e.readAt), false})
	}
	reported, known := make(map[string]bool), make(map[string]bool)
	var off, names []string
	var found string
	for _, o := range offsets {
		if o.known {
			fresh, worst, known[o.id] = true, max(worst, o.ahead.Abs()), true
		}
		if reported[o.id] || !o.known && known[o.id] || o.ahead <= tolerance && (!o.known || o.ahead.Abs() <= tolerance) {
			continue
		}
		reported[o.id] = true
		by := output.Either(o.known, "", "at least ") + output.OffBy(o.ahead)
		found = fmt.Sprintf("the clock of %s is %s of the local clock", election.SafeText(o.id), by)
		if by = election.SafeText(o.id) + " " + by; o.ahead < 0 {
			found = strings.TrimSuffix(found, " of the local clock") + " the local clock"
		}
		off, names = append(off, o.id), append(names, by)
	}
	if len(off) > 1 {
		found = fmt.Sprintf("%d clocks differ from the local clock: %s", len(off), someOf(names))
	}
	const do = "make sure that all hosts get their time from the same source (chrony, ntpd)"
	switch {
	case off == nil:
	case e.status.Config.Expiry == fdbelection.ExpiryByClock:
		e.many(levelFail, off, "leases expire by these clocks: two processes may lead at once, or none for a while", do+"; or \"fdbelect config set --defaults\"", found)
	default:
		means := "no decision depends on it, but the leases and ages of \"status\" are off by as much"
		if len(off) > 1 && len(off) == len(known) {
			means += "; if all are off by the same, the local clock is wrong"
		}
		e.many(levelWarn, off, means, do, found)
	}
	return fresh, worst
}
