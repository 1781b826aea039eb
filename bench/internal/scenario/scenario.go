// Package scenario has what is measured: each scenario runs on every system alike.
package scenario

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/fdbelection/fdbelection/bench/internal/figures"
	"github.com/fdbelection/fdbelection/bench/internal/system"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// Scenario is something that is measured.
type Scenario struct {
	Name, Title string
	// Recommended says that the figures depend on the settings, so that it is measured with
	// those that each system recommends as well.
	Recommended bool
	// lease is another equal lease than that of the run, if it is not zero.
	lease time.Duration
	run   func(context.Context, *bench) (figures.Result, error)
}

// All returns the scenarios, in the order of the report.
func All() []Scenario {
	return []Scenario{
		{Name: "acquire", Title: "Uncontended: acquire and release", run: acquire},
		{Name: "resign", Title: "From a resignation to the successor", run: resign},
		{Name: "crash", Title: "From a SIGKILL to the successor", Recommended: true, run: crash},
		{Name: "preempt", Title: "From the start of a candidate of higher priority until it leads", run: preempt},
		{Name: "renew", Title: "Renewals", run: renew},
		{Name: "idle", Title: "What a candidate costs while nothing happens", Recommended: true, run: idle},
		{Name: "herd", Title: "100 candidates at a vacancy", run: herd},
		{Name: "many", Title: "Many elections in one process, with a lease of 10 s", lease: 10 * time.Second, run: many},
		{Name: "fence", Title: "A fenced write against an unfenced one", run: fence},
		{Name: "cold", Title: "From the start of a process until it leads", run: cold},
	}
}

// Limits bound a run.
type Limits struct {
	// Quick runs each scenario once, so that the code does not rot.
	Quick bool
	// Lease is the equal lease.
	Lease time.Duration
	// Victims is how many elections the process leads that is killed.
	Victims int
}

// bench is one run of one scenario.
type bench struct {
	Limits
	system   system.System
	settings system.Settings
	server   system.Server
	random   *random
}

// Run runs a scenario on a system with fresh files, and returns the result and the version of
// the system. An error of the scenario is the Why of the result.
func Run(ctx context.Context, s Scenario, y system.System, settings string, l Limits) (r figures.Result, version string) {
	b := &bench{Limits: l, system: y, random: newRandom()}
	b.settings = system.Settings{Lease: y.Lease, Heartbeat: y.Heartbeat}
	if settings == figures.Equal {
		if s.lease > 0 {
			l.Lease = s.lease
		}
		b.settings = system.Settings{Lease: l.Lease, Heartbeat: l.Lease / 3, Durable: true}
	}
	var err error
	if why := y.Cannot[s.Name]; why != "" {
		err = errors.New(why)
	} else {
		r, version, err = b.run(ctx, s)
	}
	if err != nil {
		r.Why = err.Error() // what was measured before stays
	}
	r.System, r.Scenario, r.Settings, r.Lease = y.Name, s.Name, settings, b.settings.Lease
	return r, version
}

func (b *bench) run(ctx context.Context, s Scenario) (r figures.Result, version string, err error) {
	if b.settings.Dir, err = os.MkdirTemp("", "bench"); err != nil {
		return r, "", err
	}
	defer func() { _ = os.RemoveAll(b.settings.Dir) }()
	if b.server, err = b.system.Start(ctx, b.settings); err != nil {
		return r, "", fmt.Errorf("the server did not start: %w", err)
	}
	defer func() { _ = b.server.Close() }()
	limit := 4 * time.Minute
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it was not over in %s", limit))
	defer cancel()
	if r, err = s.run(ctx, b); err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return r, b.server.Version(), err
}

// connect makes one process.
func (b *bench) connect(ctx context.Context) (system.Client, error) {
	return b.system.Connect(ctx, b.server.Address(), b.settings)
}

// rounds calls one until there are enough rounds or the time is over.
func (b *bench) rounds(ctx context.Context, most int, limit time.Duration, one func(round int) error) error {
	least := min(most, 10)
	if b.Quick {
		most, least = 1, 1
	}
	begin := time.Now()
	for i := 0; i < most && (i < least || time.Since(begin) < limit); i++ {
		if err := one(i); err != nil {
			return fmt.Errorf("round %d: %w", i+1, err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// contender is a candidate, and when it began to lead.
type contender struct {
	system.Candidate
	leads chan time.Time
}

// campaign starts a candidate.
func campaign(ctx context.Context, c system.Client, election, id string, priority int32) (*contender, error) {
	one := &contender{leads: make(chan time.Time, 16)}
	var err error
	one.Candidate, err = c.Campaign(ctx, election, id, system.Candidacy{Priority: priority, Lead: func() { one.leads <- time.Now() }})
	return one, err
}

// await waits until the candidate leads.
func (c *contender) await(ctx context.Context) (time.Time, error) {
	select {
	case at := <-c.leads:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("the candidate did not lead: %w", context.Cause(ctx))
	}
}

// pause waits. It returns early if ctx ends.
func pause(ctx context.Context, d time.Duration) { _ = clock.RealSleep(ctx, d) }

// leadAll leads n elections in one process. With an error, it returns the candidates that it has
// started.
func leadAll(ctx context.Context, c system.Client, prefix string, n int) ([]*contender, error) {
	var all []*contender
	for i := range n {
		one, err := campaign(ctx, c, fmt.Sprint(prefix, i), "only", 0)
		if err != nil {
			return all, err
		}
		all = append(all, one)
	}
	for _, one := range all {
		if _, err := one.await(ctx); err != nil {
			return all, err
		}
	}
	return all, nil
}

// settled is how long a candidate is given to stand by for its turn. etcd, for example, takes up to
// 100 ms until a watch of the present revision tells of changes at once.
const settled = 150 * time.Millisecond
