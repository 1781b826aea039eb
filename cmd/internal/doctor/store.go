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
	// How many reads and how many transactions without a commit are measured.
	doctorReads = 100
	doctorEmpty = 30
	// measureTime bounds how long each of them is measured, after the first few.
	measureTime  = 2 * time.Second
	measureLeast = 3
)

// measure times reads of the config's key, whether it is there or not, and
// transactions that read it serialisably and have nothing to commit.
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

// timed returns what each of up to n runs took, sorted.
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

// versions tells what is between this command and the data.
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
			e.warn("not all versions are known here; the election does not depend on it", "see what the database says of itself", "%s", terminal.SafeLines(err.Error()))
		}
	}
}

// checkLatency compares what the store takes with the time that a leader has.
func (e *examination) checkLatency() {
	read, empty := output.Percentile(e.latency, 99), output.Percentile(e.empty, 99)
	found := fmt.Sprintf("a read takes %s, 99 of 100 at most %s; a transaction without a commit %s and %s",
		output.ShortTime(output.Duration(output.Percentile(e.latency, 50))), output.ShortTime(output.Duration(read)),
		output.ShortTime(output.Duration(output.Percentile(e.empty, 50))), output.ShortTime(output.Duration(empty)))
	worst := max(read, empty)
	switch {
	case e.state != nil && records.TooSlow(&e.state.Config, worst):
		e.tellSlow(found)
	default:
		e.begin("latency")
		if e.state != nil {
			found += fmt.Sprintf("; a renewal has %s", records.RenewalTime(&e.state.Config))
		}
		e.ok("%s", found)
	}
}

// tellSlow says that the store is slow, before anything else: it explains what is late.
// Clocks, heartbeats and renewals are not judged then.
func (e *examination) tellSlow(found string) {
	c := &e.state.Config
	e.slow = true
	e.begin("latency")
	const do = "make the lease longer (\"fdbelect config set lease=...\"), or find out what holds up the store; \"fdbelect bench\" measures commits as well"
	if worst := max(output.Percentile(e.latency, 99), output.Percentile(e.empty, 99)); worst >= records.RenewalTime(c) {
		e.fail("the store is slow: a renewal takes longer than a leader has left when it begins one, so it loses its leadership again and again", do,
			"%s; a renewal has %s", found, records.RenewalTime(c))
	} else {
		e.warn("the store is slow: that eats the time that a leader has for its renewals, and the margin that keeps two leaders apart in time", do,
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
