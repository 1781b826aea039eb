package election

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
)

// deciding is a case of the decision: a leader "a" of priority 5 who claimed
// at second 0 with a lease of 10 s, and a contender, each case with its
// differences.
type deciding struct {
	name   string
	change func(v *view, c *caller)
	want   decision
}

var (
	decideNow = time.Unix(1000, 0).UTC()
	meA       = Identity{ID: "a", Incarnation: uuid.UUID{1}}
	meB       = Identity{ID: "b", Incarnation: uuid.UUID{2}}
)

// second is an instant of the case, in seconds after the claim.
func second(n float64) time.Time { return decideNow.Add(time.Duration(n * float64(time.Second))) }

func decidingBase() (*view, *caller) {
	v := &view{config: fdbelection.RecipeConfig()}
	v.leader = LeaderRecord{
		Ballot: 9, Term: 3, Identity: meA, Priority: 5, Nonce: uuid.UUID{9}, Accepted: true,
		LeaseExpiry: second(10), LeaseDuration: 10 * time.Second, AcquiredAt: second(0),
	}
	return v, &caller{Identity: meB, priority: 5, now: second(1)}
}

func asHolder(c *caller) { c.Identity = meA }

func watched(v *view, c *caller, since float64) {
	v.config.Expiry = fdbelection.ExpiryByObservation
	c.observed, c.seen = true, Observation{}.Next(v.leader, second(since))
}

// lost is for a leader record that is gone, in an election by clock.
func lost(v *view, c *caller, since float64) {
	v.lost, v.leader.AcquiredAt, v.leader.LeaseExpiry = true, time.Time{}, instant(latest)
	c.seen = Observation{}.Next(v.leader, second(since))
}

var decisions = []deciding{
	{"a live leader is followed", func(*view, *caller) {}, decision{action: Followed}},
	{"a vacancy is claimed", func(v *view, _ *caller) { v.leader = v.leader.vacated(second(0)) }, decision{Claimed, AcquireVacancy}},
	{"a seat never held is claimed", func(v *view, _ *caller) { v.leader = LeaderRecord{} }, decision{Claimed, AcquireVacancy}},
	{"not by an observer", func(v *view, c *caller) { v.leader = LeaderRecord{}; c.role = Observer }, decision{action: Followed}},
	{"not while disabled", func(v *view, _ *caller) { v.leader = LeaderRecord{}; v.config.ElectionEnabled = false }, decision{action: Followed}},

	{"the instant before expiry is the leader's", func(_ *view, c *caller) { c.now = second(10).Add(-1) }, decision{action: Followed}},
	{"the instant of expiry is free", func(_ *view, c *caller) { c.now = second(10) }, decision{Claimed, AcquireExpiry}},
	{"expiry is not for the disabled", func(v *view, c *caller) { c.now = second(10); v.config.ElectionEnabled = false }, decision{action: Followed}},

	{"a lost record names no lease: not before it was seen for one", func(v *view, c *caller) { lost(v, c, 1); c.at = second(11).Add(-1) }, decision{action: Followed}},
	{"a lost record is claimed from after one lease", func(v *view, c *caller) { lost(v, c, 1); c.at = second(11) }, decision{Claimed, AcquireExpiry}},
	{"but from after the longer lease that was seen before it", func(v *view, c *caller) {
		c.seen = Observation{}.Next(v.leader, second(0))
		v.config.LeaseDuration, v.leader.LeaseDuration, v.lost = time.Second, time.Second, true
		v.leader.AcquiredAt = time.Time{}
		v.leader.Ballot++
		c.seen, c.at = c.seen.Next(v.leader, second(1)), second(11).Add(-1)
	}, decision{action: Followed}},

	{"the holder renews", func(_ *view, c *caller) { asHolder(c) }, decision{action: Renewed}},
	{"the holder drains while disabled", func(v *view, c *caller) { asHolder(c); v.config.ElectionEnabled = false }, decision{action: Draining}},
	{"an observer that holds vacates", func(_ *view, c *caller) { asHolder(c); c.role = Observer }, decision{action: Vacated}},
	{"also while disabled and over", func(v *view, c *caller) {
		asHolder(c)
		c.role, c.now, v.config.ElectionEnabled = Observer, second(99), false
	}, decision{action: Vacated}},
	{"the holder of a lease that is over begins anew", func(_ *view, c *caller) { asHolder(c); c.now = second(10) }, decision{Claimed, AcquireReclaim}},
	{"by observation it renews", func(v *view, c *caller) { asHolder(c); watched(v, c, 0); c.now = second(10) }, decision{action: Renewed}},
	{"unless it ended that term", func(v *view, c *caller) { asHolder(c); watched(v, c, 0); c.endedTerm = 3 }, decision{Claimed, AcquireReclaim}},
	{"an earlier term that it ended does not count", func(_ *view, c *caller) { asHolder(c); c.endedTerm = 2 }, decision{action: Renewed}},
	{"another incarnation of the holder waits", func(_ *view, c *caller) { asHolder(c); c.Incarnation = uuid.UUID{7} }, decision{action: Followed}},
	{"a seat handed over is accepted", func(v *view, c *caller) { asHolder(c); v.leader.Accepted = false }, decision{action: Renewed}},

	{"nothing observed, nothing claimed", func(v *view, c *caller) {
		watched(v, c, 0)
		c.seen, c.now = Observation{}, second(1e6)
	}, decision{action: Followed}},
	{"the wall clock does not count by observation", func(v *view, c *caller) { watched(v, c, 100); c.now = second(109.9) }, decision{action: Followed}},
	{"a ballot that stood for a lease is over", func(v *view, c *caller) { watched(v, c, 100); c.now = second(110) }, decision{Claimed, AcquireExpiry}},
	{"another ballot is not", func(v *view, c *caller) { watched(v, c, 0); v.leader.Ballot++; c.now = second(50) }, decision{action: Followed}},
	{"another tenure of the same ballot is not", func(v *view, c *caller) { watched(v, c, 0); v.leader.Nonce[0]++; c.now = second(50) }, decision{action: Followed}},
	{"another term is not", func(v *view, c *caller) { watched(v, c, 0); v.leader.Term++; c.now = second(50) }, decision{action: Followed}},
	{"the clock of the cycle does not count by observation", func(v *view, c *caller) {
		watched(v, c, 0)
		c.now, c.at = second(1e6), second(9)
	}, decision{action: Followed}},
	{"a clock that went back is not", func(v *view, c *caller) { watched(v, c, 0); c.now = second(-50) }, decision{action: Followed}},

	{"who abstains does not claim a vacancy", func(v *view, c *caller) { v.leader = LeaderRecord{}; c.abstain = true }, decision{action: Followed}},
	{"nor preempts", func(_ *view, c *caller) { c.priority = 6; c.abstain = true }, decision{action: Followed}},
	{"nor begins anew", func(_ *view, c *caller) { asHolder(c); c.abstain, c.now = true, second(10) }, decision{action: Followed}},
	{"but renews", func(_ *view, c *caller) { asHolder(c); c.abstain = true }, decision{action: Renewed}},
	{"and takes its challenge back", func(v *view, c *caller) { challengedBy(v, c, meB, 6); c.abstain = true }, decision{action: Withdrew}},
	{"a seat not accepted is not led while disabled", func(v *view, c *caller) {
		asHolder(c)
		v.leader.Accepted, v.config.ElectionEnabled = false, false
	}, decision{action: Vacated}},
	{"a seat not accepted in time is accepted late", func(v *view, c *caller) {
		asHolder(c)
		v.leader.Accepted, c.now = false, second(99)
	}, decision{action: Renewed}},
	{"a clock that is behind does not protect from preemption", func(_ *view, c *caller) {
		c.priority, c.now = 6, second(-3600)
	}, decision{Claimed, AcquirePreemption}},
	{"a challenge of an own earlier incarnation is withdrawn", func(v *view, c *caller) {
		challengedBy(v, c, Identity{ID: "b", Incarnation: uuid.UUID{77}}, 6)
		c.priority = 5
	}, decision{action: Withdrew}},
	{"an observer withdraws a transfer to itself", func(v *view, c *caller) {
		challengedBy(v, c, meB, 6)
		v.request.Kind, c.role = TransferRequest, Observer
	}, decision{action: Withdrew}},

	{"an equal priority waits", func(*view, *caller) {}, decision{action: Followed}},
	{"a higher one preempts", func(_ *view, c *caller) { c.priority = 6 }, decision{Claimed, AcquirePreemption}},
	{"not where it is forbidden", func(v *view, c *caller) { c.priority = 6; v.config.AllowPreemption = false }, decision{action: Followed}},
	{"not while disabled, either", func(v *view, c *caller) { c.priority = 6; v.config.ElectionEnabled = false }, decision{action: Followed}},
	{"not in the minimum tenure", func(v *view, c *caller) { c.priority = 6; v.config.MinimumTenure = second(1).Sub(second(0)) + 1 }, decision{action: Followed}},
	{"after the minimum tenure", func(v *view, c *caller) { c.priority = 6; v.config.MinimumTenure = second(1).Sub(second(0)) }, decision{Claimed, AcquirePreemption}},
	{"a tenure not observed has no age", func(v *view, c *caller) {
		c.priority, c.now = 6, second(99)
		watched(v, c, 0)
		c.seen, v.config.MinimumTenure = Observation{}, 1
	}, decision{action: Followed}},
	{"a transferred seat is protected", func(v *view, c *caller) { c.priority = 6; v.leader.AcquireReason = AcquireTransfer }, decision{action: Followed}},
	{"for one lease", func(v *view, c *caller) {
		c.priority, c.now = 6, second(10)
		v.leader.AcquireReason, v.leader.LeaseExpiry = AcquireTransfer, second(20)
	}, decision{Claimed, AcquirePreemption}},

	{"with a grace it challenges", func(v *view, c *caller) { c.priority = 6; v.config.PreemptionGrace = 1 }, decision{action: RequestedPreemption}},
	{"and repeats it", func(v *view, c *caller) { challengedBy(v, c, meB, 6) }, decision{action: RequestedPreemption}},
	{"another's of the same priority stands", func(v *view, c *caller) { challengedBy(v, c, Identity{ID: "c"}, 6) }, decision{action: Followed}},
	{"that of an own earlier incarnation is replaced", func(v *view, c *caller) {
		challengedBy(v, c, Identity{ID: "b", Incarnation: uuid.UUID{77}}, 6)
	}, decision{action: RequestedPreemption}},
	{"a weaker one's is replaced", func(v *view, c *caller) { challengedBy(v, c, Identity{ID: "c"}, 5) }, decision{action: RequestedPreemption}},
	{"one about another term is void", func(v *view, c *caller) {
		challengedBy(v, c, Identity{ID: "c"}, 99)
		v.request.Term = 2
	}, decision{action: RequestedPreemption}},
	{"an operator's request stands", func(v *view, c *caller) {
		challengedBy(v, c, Identity{ID: "c"}, 0)
		v.request.Kind = ResignRequest
	}, decision{action: Followed}},
	{"an own challenge that is not legal any more is withdrawn", func(v *view, c *caller) {
		challengedBy(v, c, meB, 6)
		c.priority = 5
	}, decision{action: Withdrew}},
	{"also while disabled, again", func(v *view, c *caller) {
		challengedBy(v, c, meB, 6)
		v.config.ElectionEnabled = false
	}, decision{action: Withdrew}},
	{"an expired lease goes before a challenge", func(v *view, c *caller) {
		challengedBy(v, c, Identity{ID: "c"}, 99)
		c.now = second(10)
	}, decision{Claimed, AcquireExpiry}},
}

func challengedBy(v *view, c *caller, author Identity, priority int32) {
	c.priority = 6
	v.config.PreemptionGrace = time.Second
	v.request = Request{Kind: PreemptionRequest, Term: v.leader.Term, Identity: author, Priority: priority, Nonce: uuid.UUID{5}}
}

func TestDecide(t *testing.T) {
	for _, test := range decisions {
		t.Run(test.name, func(t *testing.T) {
			v, c := decidingBase()
			test.change(v, c)
			if c.at.IsZero() {
				c.at = c.now
			}
			require.Equal(t, test.want, decide(v, c))
		})
	}
}
