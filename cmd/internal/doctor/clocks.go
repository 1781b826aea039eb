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
	exact bool // the timestamp was read soon after it was written; otherwise ahead is a lower bound
}

const (
	// The growth of read versions is measured for minRateTime to maxRateTime. On an idle
	// FoundationDB cluster the version grows only with the empty commits of its proxies,
	// which are up to two seconds apart.
	minRateTime  = time.Second
	maxRateTime  = 6 * time.Second
	rateInterval = 10 * time.Millisecond
	// versionsPerSecond is how fast the versions of FoundationDB grow.
	versionsPerSecond = 1_000_000
)

// versionRate is by how much the read version grew, and in what time on the local clock.
type versionRate struct {
	grown  int64
	passed time.Duration // zero: the version did not change twice
}

// measureRate measures how fast read versions grow, from one change to a later one.
func (e *examination) measureRate(ctx context.Context) error {
	if scheme, _, _ := strings.Cut(e.Store, ":"); scheme == "file" || scheme == "mem" {
		return nil // these versions grow only with commits
	}
	c := e.session.Program.Clock
	e.rate = &versionRate{}
	var last, first int64
	var since time.Time
	for begin := c.Now(); c.Now().Sub(begin) < maxRateTime; {
		e.progress.Show("measuring how fast versions grow", int64(c.Now().Sub(begin)), int64(maxRateTime))
		version, err := session.ReadTransact(ctx, e.session, func(tr kv.ReadTransaction) (int64, error) { return tr.GetReadVersion().Get() })
		if err != nil {
			return err
		}
		now := c.Now()
		switch changed := version != last && last != 0; {
		case changed && first == 0:
			first, since = version, now
		case changed && now.Sub(since) >= minRateTime:
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

// checkRate compares the growth of read versions with the local clock, if the versions of
// this store follow a clock.
func (e *examination) checkRate() {
	if e.rate == nil {
		return
	}
	if e.rate.passed == 0 {
		e.warn("the database does not advance: it hangs or is recovering", "check the status of the database, and run doctor again",
			"versions did not change twice within %s", maxRateTime)
		return
	}
	rate := float64(e.rate.grown) / e.rate.passed.Seconds() / versionsPerSecond
	switch {
	case rate > 2:
		e.warn("the database recovered during the measurement, or its clock jumped; transactions that were open will fail", "check the status of the database, and run doctor again",
			"versions grew %.1f times as fast as the local clock", rate)
	case rate < 0.8 || rate > 1.2:
		e.warn("the clock of the database or of this host runs at a wrong rate, or the database paused", "run doctor again; compare the local clock with another",
			"versions grew %.2f times as fast as the local clock", rate)
	default:
		e.ok("versions grew %.2f times as fast as the local clock", rate)
	}
}

// checkClocks judges the clocks without relying on any of them. It looks at timestamps in
// the future, timestamps that were read soon after they were written, the order of the
// history, and how fast versions grow.
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
			e.warn("a clock was set back, or the clocks of hosts differ", "make all hosts take their time from the same source",
				"the times of the history go back by %s at term %d", output.Age(back), e.history[i].Term)
			break
		}
	}
	switch {
	case e.Warnings+e.Failures > before:
	case fresh:
		e.ok("fresh timestamps of others are within %s of the local clock", output.Age(worst))
	default:
		e.ok("no timestamp is in the future; without a fresh timestamp, nothing else can be checked")
	}
}

// checkOffsets compares timestamps with the local clock. It returns whether any was fresh,
// which means read soon after it was written, and by how much the fresh ones differ at most.
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
	if l := e.status.Leader; !l.Vacant() && !e.leaderLost {
		offsets = append(offsets, offset{l.ID, l.LeaseExpiry.Add(-l.LeaseDuration).Sub(e.readAt), false})
	}
	reported, exact := make(map[string]bool), make(map[string]bool)
	var ids, names []string
	var found string
	for _, o := range offsets {
		if o.exact {
			fresh, worst, exact[o.id] = true, max(worst, o.ahead.Abs()), true
		}
		if reported[o.id] || !o.exact && exact[o.id] || o.ahead <= tolerance && (!o.exact || o.ahead.Abs() <= tolerance) {
			continue
		}
		reported[o.id] = true
		name, by := election.SafeText(o.id), output.Either(o.exact, "", "at least ")+output.OffBy(o.ahead)
		found = fmt.Sprintf("the clock of %s is %s%s the local clock", name, by, output.Either(o.ahead < 0, "", " of"))
		ids, names = append(ids, o.id), append(names, name+" "+by)
	}
	if len(ids) > 1 {
		found = fmt.Sprintf("%d clocks differ from the local clock: %s", len(ids), firstFew(names))
	}
	const do = "make all hosts take their time from the same source (chrony, ntpd)"
	switch {
	case ids == nil:
	case e.status.Config.Expiry == fdbelection.ExpiryByClock:
		e.addMany(levelFail, ids, "candidates judge leases by these clocks: two processes may lead at once, or none for a while", do+", or run \"fdbelect config set --defaults\"", found)
	default:
		means := "no decision depends on it, but the leases and ages that \"status\" shows are wrong by as much"
		if len(ids) > 1 && len(ids) == len(exact) {
			means += "; if all differ by the same, the local clock is wrong"
		}
		e.addMany(levelWarn, ids, means, do, found)
	}
	return fresh, worst
}
