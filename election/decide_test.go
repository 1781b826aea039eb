package election

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
)

// decideCase is a case of decide. In its base, leader "a" of priority 5 has claimed at second 0
// with a lease of 10 s, and "b" of the same priority runs a cycle at second 1. Each case
// changes something.
type decideCase struct {
	name   string
	change func(v *view, c *caller)
	want   decision
}

var (
	decideNow = time.Unix(1000, 0).UTC()
	meA       = Identity{ID: "a", Incarnation: uuid.UUID{1}}
	meB       = Identity{ID: "b", Incarnation: uuid.UUID{2}}
)

// second returns the instant n seconds after the claim.
func second(n float64) time.Time { return decideNow.Add(time.Duration(n * float64(time.Second))) }

func decideBase() (*view, *caller) {
	v := &view{config: fdbelection.RecipeConfig()}
	v.leader = LeaderRecord{
		Ballot: 9, Term: 3, Identity: meA, Priority: 5, Nonce: uuid.UUID{9}, Accepted: true,
		LeaseExpiry: second(10), LeaseDuration: 10 * time.Second, AcquiredAt: second(0),
	}
	return v, &caller{Identity: meB, priority: 5, now: second(1)}
}

func asHolder(c *caller) { c.Identity = meA }

// watched gives the caller an observation that has seen the ballot since an instant.
func watched(v *view, c *caller, since float64) {
	v.config.Expiry = fdbelection.ExpiryByObservation
	c.observed, c.seen = true, Observation{}.Next(v.leader, second(since))
}

// lost makes the leader record a lost one, in an election by clock. It was first seen since an
// instant.
func lost(v *view, c *caller, since float64) {
	v.lost, v.leader.AcquiredAt, v.leader.LeaseExpiry = true, time.Time{}, record.Instant(record.Latest)
	c.seen = Observation{}.Next(v.leader, second(since))
}

var decisions = []decideCase{
	{"a live leader is followed", func(*view, *caller) {}, decision{action: Followed}},
	{"a vacancy is claimed", func(v *view, _ *caller) { v.leader = v.leader.vacated(second(0)) }, decision{Claimed, AcquireVacancy}},
	{"an election that never had a leader is claimed", func(v *view, _ *caller) { v.leader = LeaderRecord{} }, decision{Claimed, AcquireVacancy}},
	{"an observer does not claim a vacancy", func(v *view, c *caller) { v.leader = LeaderRecord{}; c.role = Observer }, decision{action: Followed}},
	{"a vacancy is not claimed while disabled", func(v *view, _ *caller) { v.leader = LeaderRecord{}; v.config.ElectionEnabled = false }, decision{action: Followed}},

	{"one nanosecond before its expiry a lease is followed", func(_ *view, c *caller) { c.now = second(10).Add(-1) }, decision{action: Followed}},
	{"at its expiry a lease is claimed", func(_ *view, c *caller) { c.now = second(10) }, decision{Claimed, AcquireExpiry}},
	{"an expired lease is not claimed while disabled", func(v *view, c *caller) { c.now = second(10); v.config.ElectionEnabled = false }, decision{action: Followed}},

	{"a lost record is followed until it was seen for a lease", func(v *view, c *caller) { lost(v, c, 1); c.at = second(11).Add(-1) }, decision{action: Followed}},
	{"a lost record is claimed after it was seen for a lease", func(v *view, c *caller) { lost(v, c, 1); c.at = second(11) }, decision{Claimed, AcquireExpiry}},
	{"a lost record is followed for the longer lease that was seen before", func(v *view, c *caller) {
		c.seen = Observation{}.Next(v.leader, second(0))
		v.config.LeaseDuration, v.leader.LeaseDuration, v.lost = time.Second, time.Second, true
		v.leader.AcquiredAt = time.Time{}
		v.leader.Ballot++
		c.seen, c.at = c.seen.Next(v.leader, second(1)), second(11).Add(-1)
	}, decision{action: Followed}},

	{"the holder renews", func(_ *view, c *caller) { asHolder(c) }, decision{action: Renewed}},
	{"the holder drains while disabled", func(v *view, c *caller) { asHolder(c); v.config.ElectionEnabled = false }, decision{action: Draining}},
	{"an observer that holds vacates", func(_ *view, c *caller) { asHolder(c); c.role = Observer }, decision{action: Vacated}},
	{"an observer that holds an expired lease vacates while disabled", func(v *view, c *caller) {
		asHolder(c)
		c.role, c.now, v.config.ElectionEnabled = Observer, second(99), false
	}, decision{action: Vacated}},
	{"the holder of an expired lease reclaims", func(_ *view, c *caller) { asHolder(c); c.now = second(10) }, decision{Claimed, AcquireReclaim}},
	{"with its own observation the holder renews", func(v *view, c *caller) { asHolder(c); watched(v, c, 0); c.now = second(10) }, decision{action: Renewed}},
	{"a holder that ended the term reclaims", func(v *view, c *caller) { asHolder(c); watched(v, c, 0); c.endedTerm = 3 }, decision{Claimed, AcquireReclaim}},
	{"a holder that ended an earlier term renews", func(_ *view, c *caller) { asHolder(c); c.endedTerm = 2 }, decision{action: Renewed}},
	{"another incarnation of the holder follows", func(_ *view, c *caller) { asHolder(c); c.Incarnation = uuid.UUID{7} }, decision{action: Followed}},
	{"a leadership that was handed over is accepted", func(v *view, c *caller) { asHolder(c); v.leader.Accepted = false }, decision{action: Renewed}},

	{"by observation a caller that has seen nothing follows", func(v *view, c *caller) {
		watched(v, c, 0)
		c.seen, c.now = Observation{}, second(1e6)
	}, decision{action: Followed}},
	{"by observation a ballot that was seen for less than a lease is followed", func(v *view, c *caller) { watched(v, c, 100); c.now = second(109.9) }, decision{action: Followed}},
	{"by observation a ballot that was seen for a lease is claimed", func(v *view, c *caller) { watched(v, c, 100); c.now = second(110) }, decision{Claimed, AcquireExpiry}},
	{"by observation another ballot is followed", func(v *view, c *caller) { watched(v, c, 0); v.leader.Ballot++; c.now = second(50) }, decision{action: Followed}},
	{"by observation another tenure with the same ballot is followed", func(v *view, c *caller) { watched(v, c, 0); v.leader.Nonce[0]++; c.now = second(50) }, decision{action: Followed}},
	{"by observation another term is followed", func(v *view, c *caller) { watched(v, c, 0); v.leader.Term++; c.now = second(50) }, decision{action: Followed}},
	{"by observation the wall clock does not count", func(v *view, c *caller) {
		watched(v, c, 0)
		c.now, c.at = second(1e6), second(9)
	}, decision{action: Followed}},
	{"by observation a clock that was set back follows", func(v *view, c *caller) { watched(v, c, 0); c.now = second(-50) }, decision{action: Followed}},

	{"a caller that abstains does not claim a vacancy", func(v *view, c *caller) { v.leader = LeaderRecord{}; c.abstain = true }, decision{action: Followed}},
	{"a caller that abstains does not preempt", func(_ *view, c *caller) { c.priority = 6; c.abstain = true }, decision{action: Followed}},
	{"a caller that abstains does not reclaim", func(_ *view, c *caller) { asHolder(c); c.abstain, c.now = true, second(10) }, decision{action: Followed}},
	{"a caller that abstains renews", func(_ *view, c *caller) { asHolder(c); c.abstain = true }, decision{action: Renewed}},
	{"a caller that abstains withdraws its request", func(v *view, c *caller) { requestBy(v, c, meB, 6); c.abstain = true }, decision{action: Withdrew}},
	{"a leadership that is not accepted is vacated while disabled", func(v *view, c *caller) {
		asHolder(c)
		v.leader.Accepted, v.config.ElectionEnabled = false, false
	}, decision{action: Vacated}},
	{"a leadership is accepted even after its lease", func(v *view, c *caller) {
		asHolder(c)
		v.leader.Accepted, c.now = false, second(99)
	}, decision{action: Renewed}},
	{"a clock that is behind does not protect from preemption", func(_ *view, c *caller) {
		c.priority, c.now = 6, second(-3600)
	}, decision{Claimed, AcquirePreemption}},
	{"a request of an earlier incarnation of the caller is withdrawn", func(v *view, c *caller) {
		requestBy(v, c, Identity{ID: "b", Incarnation: uuid.UUID{77}}, 6)
		c.priority = 5
	}, decision{action: Withdrew}},
	{"an observer withdraws a transfer request to itself", func(v *view, c *caller) {
		requestBy(v, c, meB, 6)
		v.request.Kind, c.role = TransferRequest, Observer
	}, decision{action: Withdrew}},

	{"an equal priority follows", func(*view, *caller) {}, decision{action: Followed}},
	{"a higher priority preempts", func(_ *view, c *caller) { c.priority = 6 }, decision{Claimed, AcquirePreemption}},
	{"a higher priority follows if preemption is forbidden", func(v *view, c *caller) { c.priority = 6; v.config.AllowPreemption = false }, decision{action: Followed}},
	{"a higher priority follows while disabled", func(v *view, c *caller) { c.priority = 6; v.config.ElectionEnabled = false }, decision{action: Followed}},
	{"a higher priority follows during the minimum tenure", func(v *view, c *caller) { c.priority = 6; v.config.MinimumTenure = second(1).Sub(second(0)) + 1 }, decision{action: Followed}},
	{"a higher priority preempts after the minimum tenure", func(v *view, c *caller) { c.priority = 6; v.config.MinimumTenure = second(1).Sub(second(0)) }, decision{Claimed, AcquirePreemption}},
	{"a tenure that was not seen is protected", func(v *view, c *caller) {
		c.priority, c.now = 6, second(99)
		watched(v, c, 0)
		c.seen, v.config.MinimumTenure = Observation{}, 1
	}, decision{action: Followed}},
	{"a transferred leadership is protected", func(v *view, c *caller) { c.priority = 6; v.leader.AcquireReason = AcquireTransfer }, decision{action: Followed}},
	{"a transferred leadership is protected for one lease only", func(v *view, c *caller) {
		c.priority, c.now = 6, second(10)
		v.leader.AcquireReason, v.leader.LeaseExpiry = AcquireTransfer, second(20)
	}, decision{Claimed, AcquirePreemption}},

	{"with a grace a higher priority requests preemption", func(v *view, c *caller) { c.priority = 6; v.config.PreemptionGrace = 1 }, decision{action: RequestedPreemption}},
	{"a challenger repeats its request", func(v *view, c *caller) { requestBy(v, c, meB, 6) }, decision{action: RequestedPreemption}},
	{"a request of the same priority is not replaced", func(v *view, c *caller) { requestBy(v, c, Identity{ID: "c"}, 6) }, decision{action: Followed}},
	{"a request of an earlier incarnation of the caller is replaced", func(v *view, c *caller) {
		requestBy(v, c, Identity{ID: "b", Incarnation: uuid.UUID{77}}, 6)
	}, decision{action: RequestedPreemption}},
	{"a request of a lower priority is replaced", func(v *view, c *caller) { requestBy(v, c, Identity{ID: "c"}, 5) }, decision{action: RequestedPreemption}},
	{"a request about another term is replaced", func(v *view, c *caller) {
		requestBy(v, c, Identity{ID: "c"}, 99)
		v.request.Term = 2
	}, decision{action: RequestedPreemption}},
	{"a request of an operator is not replaced", func(v *view, c *caller) {
		requestBy(v, c, Identity{ID: "c"}, 0)
		v.request.Kind = ResignRequest
	}, decision{action: Followed}},
	{"a request of the caller that has become illegal is withdrawn", func(v *view, c *caller) {
		requestBy(v, c, meB, 6)
		c.priority = 5
	}, decision{action: Withdrew}},
	{"a request of the caller is withdrawn while disabled", func(v *view, c *caller) {
		requestBy(v, c, meB, 6)
		v.config.ElectionEnabled = false
	}, decision{action: Withdrew}},
	{"an expired lease is claimed although a request stands", func(v *view, c *caller) {
		requestBy(v, c, Identity{ID: "c"}, 99)
		c.now = second(10)
	}, decision{Claimed, AcquireExpiry}},
}

// requestBy makes a preemption request stand, and gives the caller priority 6.
func requestBy(v *view, c *caller, author Identity, priority int32) {
	c.priority = 6
	v.config.PreemptionGrace = time.Second
	v.request = Request{Kind: PreemptionRequest, Term: v.leader.Term, Identity: author, Priority: priority, Nonce: uuid.UUID{5}}
}

func TestDecide(t *testing.T) {
	for _, test := range decisions {
		t.Run(test.name, func(t *testing.T) {
			v, c := decideBase()
			test.change(v, c)
			if c.at.IsZero() {
				c.at = c.now
			}
			require.Equal(t, test.want, decide(v, c))
		})
	}
}
