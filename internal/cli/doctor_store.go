package cli

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/cli/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

const (
	// How many reads and how many transactions without a commit are measured.
	doctorReads = 100
	doctorEmpty = 30
	// rateTime is how long the growth of versions is watched.
	rateTime = time.Second
	// versionsPerSecond is how fast FoundationDB's versions grow.
	versionsPerSecond = 1_000_000
)

// versionRate is how much versions grew, and in what time here.
type versionRate struct {
	grown  int64
	passed time.Duration
}

// measure times reads of the config's key, whether it is there or not, and
// transactions that read it serialisably and have nothing to commit.
func (e *examination) measure(ctx context.Context) error {
	key := e.session.election.Subspace().Sub("config").Bytes()
	c := e.session.app.clock
	for range doctorReads {
		begin := c.Now()
		if _, err := look(ctx, e.session, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Snapshot().Get(key).Get() }); err != nil {
			return err
		}
		e.latency = append(e.latency, c.Now().Sub(begin))
	}
	for range doctorEmpty {
		begin := c.Now()
		if _, err := act(ctx, e.session, func(tr kv.Transaction) ([]byte, error) { return tr.Get(key).Get() }); err != nil {
			return err
		}
		e.empty = append(e.empty, c.Now().Sub(begin))
	}
	slices.Sort(e.latency)
	slices.Sort(e.empty)
	if e.quick {
		return nil
	}
	e.progress.say("watching how versions grow")
	version := func(tr kv.ReadTransaction) (int64, error) { return tr.GetReadVersion().Get() }
	first, err := look(ctx, e.session, version)
	if err != nil {
		return err
	}
	begin := c.Now()
	if err := clock.Sleep(ctx, c, rateTime); err != nil {
		return err
	}
	second, err := look(ctx, e.session, version)
	if err != nil {
		return err
	}
	e.rate = &versionRate{grown: second - first, passed: c.Now().Sub(begin)}
	return nil
}

// versions tells what is between this command and the data.
func (e *examination) versions(ctx context.Context) {
	e.begin("versions")
	build, _ := debug.ReadBuildInfo()
	v := versionOf(build)
	e.ok("fdbelect %s, %s, %s", v.Version, v.Go, v.Platform)
	scheme, _, _ := strings.Cut(e.Store, ":")
	if scheme == "file" {
		e.ok("store files of format %d", filekv.FormatVersion)
	}
	for _, s := range e.session.app.stores {
		if s.Scheme != scheme || s.Versions == nil {
			continue
		}
		ctx, cancel := clock.WithTimeout(ctx, e.session.app.clock, e.session.access.timeout)
		parts, err := s.Versions(ctx, e.session.Database)
		cancel()
		for _, part := range parts {
			e.ok("%s %s", safeLines(part.Part), safeLines(part.Version))
		}
		if err != nil {
			e.warn("not all versions are known here; the election does not depend on it", "see what the database says of itself", "%s", safeLines(err.Error()))
		}
	}
}

// checkLatency compares what the store takes with the time that a leader has.
func (e *examination) checkLatency() {
	e.begin("latency")
	read, empty := percentile(e.latency, 99), percentile(e.empty, 99)
	found := fmt.Sprintf("a read takes %s, 99 of 100 at most %s; a transaction without a commit %s and %s",
		shortTime(micros(percentile(e.latency, 50))), shortTime(micros(read)),
		shortTime(micros(percentile(e.empty, 50))), shortTime(micros(empty)))
	worst := max(read, empty)
	var margin, spare time.Duration
	if e.state != nil {
		c := e.state.Config
		margin = c.EffectiveMargin()
		spare = c.LeaseDuration - margin - c.HeartbeatInterval
	}
	const do = "make the lease longer (\"fdbelect config set lease=...\"), or find out what holds up the store; \"fdbelect bench\" measures commits as well"
	switch {
	case e.state == nil:
		e.ok("%s", found)
	case worst >= spare:
		e.fail("a renewal takes longer than a leader has left when it begins one: it loses its leadership again and again", do,
			"%s; a renewal has %s", found, spare)
	case worst > spare/4 || worst > margin/2:
		e.warn("it eats the time that a leader has for its renewals, and the margin that keeps two leaders apart in time", do,
			"%s; a renewal has %s, the margin is %s", found, spare, margin)
	default:
		e.ok("%s; a renewal has %s", found, spare)
	}
}

// unreadable adds a finding for each record that cannot be read.
func (e *examination) unreadable(err error) bool {
	invalid := invalidRecords(err)
	for _, record := range invalid {
		e.fail(meaning(record), remedy(record), "%s", safeLines(record.Error()))
	}
	return len(invalid) > 0
}

// meaning says what a record costs that cannot be read.
func meaning(invalid *fdbelection.InvalidStateError) string {
	switch invalid.Record {
	case "config":
		return "nothing can be decided without it: there are no claims and no renewals"
	case "leader":
		return "the lease and the ballot are unknown, and so is, to status and monitoring, who leads"
	case "intent":
		return "the leader ignores it, and neither a challenger nor an operator can ask anything else of it"
	case "term":
		return "fenced writes are refused, and watches are not told of changes"
	case "candidate":
		return "that candidate cannot take part"
	case "rank":
		return "a candidate may wait a moment longer in a vacancy"
	default:
		return "that entry cannot be told; the others can"
	}
}
