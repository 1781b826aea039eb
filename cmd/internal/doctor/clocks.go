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

// offset is how far the clock of a candidate's host is ahead of the one here.
type offset struct {
	id    string
	ahead time.Duration
	known bool // its stamp was seen soon after it was written; else ahead is a lower bound
}

const (
	// rateTime is how long the growth of versions is watched at least, and rateLimit at
	// most. An idle FoundationDB cluster raises its version with the empty commits of
	// its proxies only, up to two seconds apart.
	rateTime  = time.Second
	rateLimit = 6 * time.Second
	ratePace  = 10 * time.Millisecond
	// versionsPerSecond is how fast FoundationDB's versions grow.
	versionsPerSecond = 1_000_000
)

// versionRate is how much versions grew, and in what time here. Nothing has passed if
// they did not change twice.
type versionRate struct {
	grown  int64
	passed time.Duration
}

// measureRate watches how versions grow, from one change that it sees to a later one.
func (e *examination) measureRate(ctx context.Context) error {
	if scheme, _, _ := strings.Cut(e.Store, ":"); scheme == "file" || scheme == "mem" {
		return nil // their versions grow with commits only, by the clocks of the processes
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
		if err := clock.Sleep(ctx, c, ratePace); err != nil {
			return err
		}
	}
	return nil
}

// checkRate compares the growth of versions with the clock here, if versions are a
// clock at all.
func (e *examination) checkRate() {
	if e.rate == nil {
		return
	}
	if e.rate.passed == 0 {
		e.warn("the database does not answer with newer versions: it stands still, or it is recovering", "see the database's own status; run doctor again",
			"versions did not change twice within %s", rateLimit)
		return
	}
	rate := float64(e.rate.grown) / e.rate.passed.Seconds() / versionsPerSecond
	switch {
	case rate > 2:
		e.warn("the database recovered meanwhile, or its clock jumped; open transactions are outdated", "see the database's own status; run doctor again",
			"versions grew %.1f times as fast as the clock here", rate)
	case rate < 0.8 || rate > 1.2:
		e.warn("the clock of the database or of this host runs wrong, or the database stood still", "run doctor again; compare the clock here with another",
			"versions grew %.2f times as fast as the clock here", rate)
	default:
		e.ok("versions grew %.2f times as fast as the clock here", rate)
	}
}

// checkClocks says what can be known of clocks without trusting one: a stamp of the
// future, one that was seen soon after it was written, the order of the history, and how
// fast versions grow.
func (e *examination) checkClocks() {
	e.begin("clock")
	if e.slow {
		e.skip("whether clocks agree")
		return
	}
	before := e.Warnings + e.Failures
	e.checkRate()
	tolerance := records.ClockTolerance(&e.state.Config)
	fresh, worst := e.checkOffsets(tolerance)
	for i := 1; i < len(e.history); i++ {
		if back := e.history[i-1].At.Sub(e.history[i].At); back > tolerance {
			e.warn("a clock was set back, or hosts differ", "see that hosts have their time from the same source", "the history goes back by %s at term %d", output.Age(back), e.history[i].Term)
			break
		}
	}
	switch {
	case e.Warnings+e.Failures > before:
	case fresh:
		e.ok("fresh stamps of others are within %s of the clock here", output.Age(worst))
	default:
		e.ok("no stamp is of the future; that is all that can be told without a fresh one")
	}
}

// checkOffsets compares stamps with the clock here. It reports whether one was fresh, and
// by how much these differ at most.
func (e *examination) checkOffsets(tolerance time.Duration) (fresh bool, worst time.Duration) {
	offsets := e.offsets
	for _, c := range e.candidates {
		if ahead, moved := e.beats.Ahead[c.Identity]; moved {
			offsets = append(offsets, offset{c.ID, ahead, true})
		}
	}
	for _, c := range e.candidates {
		offsets = append(offsets, offset{c.ID, c.LastHeartbeat.Sub(e.readAt), false})
	}
	if l := e.state.Leader; !l.Vacant() && !e.lost {
		offsets = append(offsets, offset{l.ID, l.LeaseExpiry.Add(-l.LeaseDuration).Sub(e.readAt), false})
	}
	told, known := make(map[string]bool), make(map[string]bool)
	var off, names []string
	var found string
	for _, o := range offsets {
		if o.known {
			fresh, worst, known[o.id] = true, max(worst, o.ahead.Abs()), true
		}
		if told[o.id] || !o.known && known[o.id] || o.ahead <= tolerance && (!o.known || o.ahead.Abs() <= tolerance) {
			continue
		}
		told[o.id] = true
		by := output.Either(o.known, "", "at least ") + output.OffBy(o.ahead)
		found = fmt.Sprintf("the clock of %s is %s of the one here", election.SafeText(o.id), by)
		if by = election.SafeText(o.id) + " " + by; o.ahead < 0 {
			found = strings.TrimSuffix(found, " of the one here") + " the one here"
		}
		off, names = append(off, o.id), append(names, by)
	}
	if len(off) > 1 {
		found = fmt.Sprintf("%d clocks differ from the one here: %s", len(off), someOf(names))
	}
	const do = "see that hosts have their time from the same source (chrony, ntpd)"
	switch {
	case off == nil:
	case e.state.Config.Expiry == fdbelection.ExpiryByClock:
		e.many(levelFail, off, "leases are judged by these clocks: two processes may lead at once, or none for a while", do+"; or \"fdbelect config set --defaults\"", found)
	default:
		means := "nothing is decided by it, but what \"status\" says of leases and ages is off by as much"
		if len(off) > 1 && len(off) == len(known) {
			means += "; if all are off by the same, it is the clock here that is wrong"
		}
		e.many(levelWarn, off, means, do, found)
	}
	return fresh, worst
}
