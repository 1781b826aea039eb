package doctor

import (
	"context"
	"fmt"
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
	// How many reads and how many transactions without a commit are measured at most.
	maxReads = 100
	maxEmpty = 30
	// Each of the two is measured for maxMeasureTime, but minMeasurements times at least.
	maxMeasureTime  = 2 * time.Second
	minMeasurements = 3
)

// measure times snapshot reads of the config record, even if there is none, and
// transactions that read it with a read conflict and commit nothing.
func (e *basis) measure(ctx context.Context) error {
	key := e.configKey
	var err error
	e.latency, err = e.timed(maxReads, func() error {
		_, err := session.ReadTransact(ctx, e.session, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Snapshot().Get(key).Get() })
		return err
	})
	if err != nil {
		return err
	}
	e.empty, err = e.timed(maxEmpty, func() error {
		_, err := session.Transact(ctx, e.session, func(tr kv.Transaction) ([]byte, error) { return tr.Get(key).Get() })
		return err
	})
	return err
}

// timed returns how long each of up to n runs took, sorted.
func (e *basis) timed(n int, run func() error) (took []time.Duration, err error) {
	c := e.session.Program.Clock
	start := c.Now()
	for len(took) < n && (len(took) < minMeasurements || c.Now().Sub(start) < maxMeasureTime) {
		begin := c.Now()
		if err := run(); err != nil {
			return nil, err
		}
		took = append(took, c.Now().Sub(begin))
	}
	slices.Sort(took)
	return took, nil
}

// versions reports the versions of this command, the store and what is between them.
func (e *basis) versions(ctx context.Context) {
	e.begin("versions")
	v := version.Own()
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
			e.warn("not all versions are known; the election does not depend on them", "check the status of the database", "%s", terminal.SafeLines(err.Error()))
		}
	}
}

// checkLatency compares the latency of the store with the time that a leader has to renew.
func (e *basis) checkLatency() {
	read, empty := output.Percentile(e.latency, 99), output.Percentile(e.empty, 99)
	found := fmt.Sprintf("a read takes %s (p50) and %s (p99); a transaction without a commit takes %s and %s",
		output.ShortTime(output.Duration(output.Percentile(e.latency, 50))), output.ShortTime(output.Duration(read)),
		output.ShortTime(output.Duration(output.Percentile(e.empty, 50))), output.ShortTime(output.Duration(empty)))
	worst := max(read, empty)
	switch {
	case e.lease != nil && records.TooSlow(e.lease, worst):
		e.reportSlowStore(found)
	default:
		e.begin("latency")
		if e.lease != nil {
			found += fmt.Sprintf("; %s has %s for a renewal", e.renewer, records.RenewalTime(e.lease))
		}
		e.ok("%s", found)
	}
}

// reportSlowStore puts a finding about the slow store before all others, because it may
// explain them. Clocks, heartbeats and renewals are not judged after that.
func (e *basis) reportSlowStore(found string) {
	c := e.lease
	e.slow = true
	e.begin("latency")
	do := "make the lease longer (\"" + e.settings + " lease=...\"), or find out why the store is slow; \"fdbelect bench\" also measures commits"
	if worst := max(output.Percentile(e.latency, 99), output.Percentile(e.empty, 99)); worst >= records.RenewalTime(c) {
		e.fail("the store is slow: a renewal takes longer than "+e.renewer+" has for it, so leadership is lost again and again", do,
			"%s; %s has %s for a renewal", found, e.renewer, records.RenewalTime(c))
	} else {
		e.warn("the store is slow: that uses up the time for renewals, and the margin that prevents two leaders at once", do,
			"%s; %s has %s for a renewal, and the margin is %s", found, e.renewer, records.RenewalTime(c), c.EffectiveMargin())
	}
	last := len(e.Findings) - 1
	e.Findings = slices.Insert(e.Findings[:last], 0, e.Findings[last])
}

// unreadable adds one finding for each kind of record that cannot be read. It reports
// whether err is set.
func (e *basis) unreadable(err error) bool {
	invalid := records.InvalidIn(err)
	for len(invalid) > 0 {
		first := invalid[0]
		sameKind := func(i *fdbelection.InvalidStateError) bool { return i.Record == first.Record && i.Newer == first.Newer }
		var keys, texts []string
		for _, i := range invalid {
			if sameKind(i) {
				key := strconv.QuoteToASCII(string(i.Key))
				keys, texts = append(keys, key), append(texts, "at key "+key+": "+i.Problem)
			}
		}
		found := first.Error()
		if len(keys) > 1 {
			found = fmt.Sprintf("%d %s records cannot be read: %s", len(keys), first.Record, firstFew(texts))
		}
		e.addMany(levelFail, keys, meaning(first), records.Remedy(first), found)
		invalid = slices.DeleteFunc(invalid, sameKind)
	}
	return err != nil
}

// meaning says what does not work while a record cannot be read.
func meaning(invalid *fdbelection.InvalidStateError) string {
	switch invalid.Record {
	case "config":
		return "without the config no candidate can claim or renew"
	case "leader":
		return "the lease and the ballot are unknown, and status and monitoring cannot tell who leads"
	case "intent":
		return "the leader ignores it, and neither a challenger nor an operator can write another request"
	case "term":
		return "fenced writes are refused"
	case "candidate":
		return "that candidate cannot take part"
	case "group":
		return "without the config no member can join or claim"
	case "member":
		return "that member counts as alive and not ready: it keeps its shards until it is evicted"
	case "beat":
		return "the session of that member ends"
	case "shard":
		return "no member can claim that shard, and fenced writes to it are refused; the other shards are not affected"
	case "pin", "request":
		return "it has no effect"
	case "floor":
		return "no shard can be created or removed"
	case "rank":
		return "a candidate may wait a little longer before it claims a vacant leadership"
	default:
		return "that entry cannot be shown; the others can"
	}
}
