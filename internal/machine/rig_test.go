package machine

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// The instants at which every test starts, on the two clocks.
var (
	localEpoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	wallEpoch  = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
)

const heartbeat = 3 * time.Second

var (
	alice = election.Identity{ID: "alice", Incarnation: uuid.UUID{1}}
	bob   = election.Identity{ID: "bob", Incarnation: uuid.UUID{2}}
	carol = election.Identity{ID: "carol", Incarnation: uuid.UUID{3}}
)

// testConfig has a lease of 10 s, with the stop deadline after 7 s and the end deadline after
// 9 s, a heartbeat of 3 s and a candidate timeout of 15 s.
func testConfig() fdbelection.Config {
	config := fdbelection.DefaultConfig()
	config.PreemptionGrace = 5 * time.Second
	config.MinimumTenure, config.PreemptDelay = 0, 0
	config.Revision = 1
	return config
}

func testSettings() Settings {
	return Settings{
		Me:     election.Registration{Identity: alice, Priority: 5},
		Aim:    Campaign,
		Config: testConfig(),
		Drain:  4 * time.Second,
		Leave:  2 * time.Second,
	}
}

// rig drives a machine by hand. Its clock moves only when a test moves it. After each step it
// checks what holds for every machine, see check.
type rig struct {
	t       *testing.T
	m       Machine
	local   time.Duration // since localEpoch
	wall    time.Duration // since wallEpoch, beside local
	config  fdbelection.Config
	pending map[uint64]Operation
	kindOf  map[uint64]Kind
	armed   map[Kind]uint64
	wake    time.Duration // since localEpoch; 0: none was requested
	acts    []Action      // of the last step
	ballot  uint64
	steps   int
	work    work
}

func newRig(t *testing.T, changes ...func(*Settings)) *rig {
	t.Helper()
	settings := testSettings()
	for _, change := range changes {
		change(&settings)
	}
	return &rig{
		t: t, m: New(settings), config: settings.Config,
		pending: make(map[uint64]Operation), kindOf: make(map[uint64]Kind), armed: make(map[Kind]uint64),
	}
}

func (r *rig) now() Now {
	return Now{Local: localEpoch.Add(r.local), Wall: wallEpoch.Add(r.local + r.wall)}
}

// step handles an event at the present time.
func (r *rig) step(event Event) *rig {
	r.t.Helper()
	r.m, r.acts = r.pureStep(event)
	if returned, ok := event.(WorkReturned); ok && returned.Term == r.work.term {
		defer func() {
			require.True(r.t, r.work.drained && r.work.expired, "the work has returned, and may use the lease")
			r.work = work{}
		}()
	}
	for _, action := range r.acts {
		r.checkOrder(action)
		switch a := action.(type) {
		case StartOperation:
			require.Positive(r.t, a.Limit)
			r.pending[a.ID], r.kindOf[a.ID] = *a.Operation, a.Kind
		case Wake:
			require.True(r.t, a.At.After(r.now().Local), "a wake-up that is due already")
			r.wake = a.At.Sub(localEpoch)
		}
	}
	r.checkDeadlines()
	return r
}

// pass moves the clock, with a tick at each wake-up that is requested.
func (r *rig) pass(d time.Duration) *rig {
	r.t.Helper()
	end := r.local + d
	var all []Action
	for r.wake > r.local && r.wake < end {
		r.local = r.wake
		r.step(Tick{})
		all = append(all, r.acts...)
	}
	r.local = end
	r.step(Tick{})
	r.acts = append(all, r.acts...)
	return r
}

// jump moves the clock at once, as for a process that was suspended.
func (r *rig) jump(d time.Duration) *rig {
	r.t.Helper()
	r.local += d
	return r.step(Tick{})
}

// does asserts the actions of the last step. It leaves out wake-ups, lists, watches and
// reports.
func (r *rig) does(want ...string) *rig {
	r.t.Helper()
	got := []string{}
	for _, action := range r.acts {
		if cancel, ok := action.(CancelOperation); ok {
			if kind := r.kindOf[cancel.Op]; mainKind(kind) {
				got = append(got, "cancel "+kind.String())
			}
			continue
		}
		if text := mainText(action); text != "" {
			got = append(got, text)
		}
	}
	require.Equal(r.t, append([]string{}, want...), got)
	return r
}

// mainText is text, and empty for the actions that does leaves out.
func mainText(action Action) string {
	switch a := action.(type) {
	case Wake, ConfigChanged, Report, Evicted, HoldOff, Delayed:
		return ""
	case StartOperation:
		if !mainKind(a.Kind) {
			return ""
		}
	}
	return text(action)
}

func mainKind(k Kind) bool { return k != List && k != Evict && !k.Watches() }

// text renders an action.
func text(action Action) string {
	switch a := action.(type) {
	case StartOperation:
		switch {
		case a.Kind == ElectionCycle && a.Token.Term > 0:
			return fmt.Sprintf("do renew %d", a.Token.Term)
		case a.Kind == ElectionCycle && a.Abstain:
			return "do cycle, abstaining"
		case a.Kind == Resign || a.Kind == HandOver:
			return fmt.Sprintf("do %s %d", a.Kind, a.Token.Term)
		}
		return "do " + a.Kind.String()
	case CancelOperation:
		return fmt.Sprintf("cancel %d", a.Op)
	case Lead:
		return fmt.Sprintf("lead %d", a.Leader.Term)
	case Drain:
		return fmt.Sprintf("drain %d: %s", a.Term, a.Reason)
	case Expire:
		return fmt.Sprintf("expire %d", a.Term)
	case StateChanged:
		return fmt.Sprintf("%s -> %s: %s", a.From, a.To, a.Reason)
	case LeaderChanged:
		if a.Leader.Vacant() {
			return fmt.Sprintf("vacant since %d", a.Leader.Term)
		}
		if a.Metadata {
			return fmt.Sprintf("metadata of %s in %d", a.Leader.ID, a.Leader.Term)
		}
		return fmt.Sprintf("leader %s in %d", a.Leader.ID, a.Leader.Term)
	case CandidatesChanged:
		return "candidates"
	case ConfigChanged:
		return fmt.Sprintf("adopt %d", a.Config.Revision)
	case Evicted:
		return "evicted " + strings.Join(a.IDs, ", ")
	case IDInUse:
		return fmt.Sprintf("await %s until %s", a.Existing.ID, a.Until.Sub(localEpoch))
	case HoldOff:
		return fmt.Sprintf("hold off for %s after %d failures", a.For, a.Failures)
	case Delayed:
		return fmt.Sprintf("delayed by %s until %s", a.Rule, a.Until.Sub(localEpoch))
	case Report:
		return fmt.Sprintf("report %v", a.Err)
	case Wake:
		return fmt.Sprintf("wake at %s", a.At.Sub(localEpoch))
	case Finish:
		return fmt.Sprintf("finish %v", a.Err)
	default:
		return fmt.Sprintf("%T", action)
	}
}

// op returns the running operation of a kind.
func (r *rig) op(kind Kind) Operation {
	r.t.Helper()
	for _, op := range r.pending {
		if op.Kind == kind {
			return op
		}
	}
	r.t.Fatalf("no %q is running", kind)
	return Operation{}
}

// idle asserts that no main operation is running.
func (r *rig) idle() *rig {
	r.t.Helper()
	for _, op := range r.pending {
		require.False(r.t, mainKind(op.Kind), "%s is running", op.Kind)
	}
	return r
}

// answer answers the running operation of a kind. Start and Seen are now unless the answer has
// them.
func (r *rig) answer(kind Kind, a Answer) *rig {
	r.t.Helper()
	op := r.op(kind)
	delete(r.pending, op.ID)
	if kind.Watches() && a.Err == nil {
		r.armed[kind] = op.ID
	}
	if a.Start.IsZero() {
		a.Start, a.Seen = r.now().Local, r.now().Local
	}
	a.Status = withTenure(a.Status)
	if op.First > 0 && a.Ranked == nil {
		a.Ranked = rankIndex(a.Members, op.First)
	}
	return r.step(Answered{Op: op.ID, Answer: a})
}

// rankIndex returns the first entries of the rank index of some candidates.
func rankIndex(candidates []election.Candidate, first int) []election.RankEntry {
	ranked := []election.RankEntry{}
	for _, c := range candidates {
		if c.Role == election.Voter && c.Ready() {
			ranked = append(ranked, election.RankEntry{ID: c.ID, Priority: c.Priority, Versionstamp: c.ReadySince})
		}
	}
	slices.SortFunc(ranked, func(a, b election.RankEntry) int {
		return cmp.Or(cmp.Compare(b.Priority, a.Priority), a.Versionstamp.Compare(b.Versionstamp))
	})
	return ranked[:min(first, len(ranked))]
}

// withTenure adds the term record that matches the leader record.
func withTenure(status election.Status) election.Status {
	if leader := status.Leader; !leader.Vacant() && status.Term == (election.TermRecord{}) {
		status.Term = election.TermRecord{Token: leader.Token(), Held: true}
	}
	return status
}

// standingBy is for a process that does not campaign, and therefore polls once per heartbeat.
func standingBy(s *Settings) { s.Aim = StandBy }

// rereads fires the watch of the term record after a second, and answers the read that follows.
func (r *rig) rereads(a Answer) *rig {
	r.t.Helper()
	return r.pass(time.Second).fire(WatchTerm, nil).answer(WatchTerm, a)
}

// fire ends the armed watch of a kind.
func (r *rig) fire(kind Kind, err error) *rig {
	r.t.Helper()
	op := r.armed[kind]
	require.NotZero(r.t, op, "%s is not armed", kind)
	delete(r.armed, kind)
	return r.step(WatchEnded{Op: op, Err: err})
}

// wakes asserts the next wake-up, since the start.
func (r *rig) wakes(want time.Duration) *rig {
	r.t.Helper()
	require.Equal(r.t, want, r.wake)
	return r
}

// state asserts the state.
func (r *rig) state(want State) *rig {
	r.t.Helper()
	require.Equal(r.t, want, r.m.State())
	return r
}

// reports returns what the last step reported.
func (r *rig) reports() []string {
	var all []string
	for _, action := range r.acts {
		if report, ok := action.(Report); ok {
			all = append(all, fmt.Sprint(report.Err))
		}
	}
	return all
}

// started reports whether the last step started an operation of a kind.
func (r *rig) started(kind Kind) bool {
	return slices.ContainsFunc(r.acts, func(a Action) bool {
		do, ok := a.(StartOperation)
		return ok && do.Kind == kind
	})
}

// main returns the running main operation.
func (r *rig) main() (Operation, bool) {
	for _, op := range r.pending {
		if mainKind(op.Kind) {
			return op, true
		}
	}
	return Operation{}, false
}

// running returns all operations and watches that are not answered, the oldest first.
func (r *rig) running() []Operation {
	all := slices.Collect(maps.Values(r.pending))
	slices.SortFunc(all, func(a, b Operation) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// kinds returns the kinds of the running main operations.
func (r *rig) kinds() []Kind {
	var all []Kind
	for _, op := range r.pending {
		if mainKind(op.Kind) {
			all = append(all, op.Kind)
		}
	}
	return all
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

// find returns the operation of a kind, if it is running.
func (r *rig) find(kind Kind) (Operation, bool) {
	for _, op := range r.pending {
		if op.Kind == kind {
			return op, true
		}
	}
	return Operation{}, false
}
