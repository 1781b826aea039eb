package doctor

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/cmd/internal/version"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

const (
	// How many reads, and how many transactions without a commit, are measured.
	doctorReads = 100
	doctorEmpty = 30
	// measureTime limits how long each of them is measured, after measureLeast of them.
	measureTime  = 2 * time.Second
	measureLeast = 3
)

// measure times reads of the key of the config, and transactions that read it and have
// nothing to commit.
func (e *examination) measure(ctx context.Context) error {
	key := e.session.Election.Subspace().Sub("config").Bytes()
	var err error
	e.latency, err = e.timed(doctorReads, func() error {
		_, err := session.ReadTransact(ctx, e.session, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Snapshot().Get(key).Get() })
		return err
	})
	if err != nil {
		return err
	}
	e.empty, err = e.timed(doctorEmpty, func() error {
		_, err := session.Transact(ctx, e.session, func(tr kv.Transaction) ([]byte, error) { return tr.Get(key).Get() })
		return err
	})
	return err
}

// timed returns how long each of up to n runs took, sorted.
func (e *examination) timed(n int, run func() error) (took []time.Duration, err error) {
	c := e.session.Program.Clock
	start := c.Now()
	for len(took) < n && (len(took) < measureLeast || c.Now().Sub(start) < measureTime) {
		begin := c.Now()
		if err := run(); err != nil {
			return nil, err
		}
		took = append(took, c.Now().Sub(begin))
	}
	slices.Sort(took)
	return took, nil
}

// versions reports the versions of what is between this command and the data.
func (e *examination) versions(ctx context.Context) {
	e.begin("versions")
	build, _ := debug.ReadBuildInfo()
	v := version.Of(build)
	e.ok("fdbelect %s, %s, %s", v.Version, v.Go, v.Platform)
	scheme, _, _ := strings.Cut(e.Store, ":")
	if scheme == "file" {
		e.ok("store files of format %d", filekv.FormatVersion)
	}
	for _, s := range e.session.Program.Stores {
		if s.Scheme != scheme || s.Versions == nil {
			continue
		}
		ctx, cancel := clock.WithTimeout(ctx, e.session.Program.Clock, e.session.Access.Timeout)
		parts, err := s.Versions(ctx, e.session.Database)
		cancel()
		for _, part := range parts {
			e.ok("%s %s", terminal.SafeLines(part.Part), terminal.SafeLines(part.Version))
		}
		if err != nil {
			e.warn("not all versions are known; the election does not depend on it", "see the status of the database", "%s", terminal.SafeLines(err.Error()))
		}
	}
}

// checkLatency compares the times of the store with the time that a leader has.
func (e *examination) checkLatency() {
	read, empty := output.Percentile(e.latency, 99), output.Percentile(e.empty, 99)
	found := fmt.Sprintf("a read takes %s, 99 of 100 at most %s; a transaction without a commit %s and %s",
		output.ShortTime(output.Duration(output.Percentile(e.latency, 50))), output.ShortTime(output.Duration(read)),
		output.ShortTime(output.Duration(output.Percentile(e.empty, 50))), output.ShortTime(output.Duration(empty)))
	worst := max(read, empty)
	switch {
	case e.status != nil && records.TooSlow(&e.status.Config, worst):
		e.reportSlow(found)
	default:
		e.begin("latency")
		if e.status != nil {
			found += fmt.Sprintf("; a renewal has %s", records.RenewalTime(&e.status.Config))
		}
		e.ok("%s", found)
	}
}

// reportSlow reports first of all that the store is slow: it explains what is late.
// Clocks, heartbeats and renewals are not judged then.
func (e *examination) reportSlow(found string) {
	c := &e.status.Config
	e.slow = true
	e.begin("latency")
	const do = "make the lease longer (\"fdbelect config set lease=...\"), or find out what delays the store; \"fdbelect bench\" measures commits as well"
	if worst := max(output.Percentile(e.latency, 99), output.Percentile(e.empty, 99)); worst >= records.RenewalTime(c) {
		e.fail("the store is slow: a renewal takes longer than a leader has for it, so it loses leadership again and again", do,
			"%s; a renewal has %s", found, records.RenewalTime(c))
	} else {
		e.warn("the store is slow: a leader has less time for its renewals, and less of the margin is left", do,
			"%s; a renewal has %s, the margin is %s", found, records.RenewalTime(c), c.EffectiveMargin())
	}
	last := len(e.Findings) - 1
	e.Findings = slices.Insert(e.Findings[:last], 0, e.Findings[last])
}

// unreadable adds a finding for each kind of record of which some cannot be read.
func (e *examination) unreadable(err error) bool {
	invalid := records.InvalidIn(err)
	for len(invalid) > 0 {
		first := invalid[0]
		like := func(i *fdbelection.InvalidStateError) bool { return i.Record == first.Record && i.Newer == first.Newer }
		var keys, texts []string
		for _, i := range invalid {
			if like(i) {
				key := strconv.QuoteToASCII(string(i.Key))
				keys, texts = append(keys, key), append(texts, "at key "+key+": "+i.Problem)
			}
		}
		found := first.Error()
		if len(keys) > 1 {
			found = fmt.Sprintf("%d %s records cannot be read: %s", len(keys), first.Record, someOf(texts))
		}
		e.many(levelFail, keys, meaning(first), records.Remedy(first), found)
		invalid = slices.DeleteFunc(invalid, like)
	}
	return err != nil
}

// meaning says what an unreadable record costs.
func meaning(invalid *fdbelection.InvalidStateError) string {
	switch invalid.Record {
	case "config":
		return "there are no claims and no renewals without it"
	case "leader":
		return "the lease and the ballot are unknown, and status and monitoring do not know the leader"
	case "intent":
		return "the leader ignores it, and no other request can be made"
	case "term":
		return "fenced writes are refused, and watches do not fire"
	case "candidate":
		return "that candidate cannot take part"
	case "rank":
		return "a candidate may wait a moment longer when leadership is vacant"
	default:
		return "this event is not known; the others are"
	}
}
