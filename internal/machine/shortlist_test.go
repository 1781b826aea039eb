package machine

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/subspace"
)

// candidatesBefore returns n candidates of priority 5 that registered before alice, and
// alice.
func candidatesBefore(n int) []election.Candidate {
	var all []election.Candidate
	for i := range n {
		who := election.Identity{ID: fmt.Sprintf("c%02d", i), Incarnation: uuid.UUID{100, byte(i)}}
		all = append(all, candidate(who, byte(i)+1))
	}
	return append(all, candidate(alice, 200))
}

// listOf is the answer to a list. all are in the order of their rank.
func listOf(op Operation, all []election.Candidate) Answer {
	if op.First == 0 {
		return Answer{Members: all}
	}
	a := Answer{Ranked: rankIndex(all, op.First)}
	for i, c := range all {
		if i < op.First || slices.Contains(op.Also, c.ID) {
			a.Members = append(a.Members, c)
		}
	}
	return a
}

// answerList answers the running list. All candidates have sent a heartbeat, except the
// first ones, which are dead.
func (r *rig) answerList(all []election.Candidate, dead int) Operation {
	r.t.Helper()
	op := r.op(List)
	for i := range all[dead:] {
		all[dead+i].Heartbeats++
	}
	r.answer(List, listOf(op, all))
	return op
}

// followAmong makes alice a follower of bob, with other candidates.
func followAmong(t *testing.T, all []election.Candidate, changes ...func(*Settings)) *rig {
	t.Helper()
	r := newRig(t, changes...)
	r.config.AllowPreemption = false
	r.step(Begin{}).answer(Register, Answer{Status: election.Status{Config: r.config}})
	r.answerList(all, 0)
	return r.answer(WatchTerm, r.reads(r.leader(bob, 1)))
}

// TestWhatIsListed: a follower lists the shortlist, the leader and itself, and names those
// that it knows so that they are read together. A leader lists all candidates.
func TestWhatIsListed(t *testing.T) {
	all := candidatesBefore(20)
	for name, change := range map[string]func(*Settings){
		"a voter":               func(*Settings) {},
		"on standby":            standingBy,
		"an observer":           func(s *Settings) { s.Me.Role = election.Observer },
		"with a shortlist of 3": func(s *Settings) { s.Shortlist = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			r := followAmong(t, all, change)
			first := r.m.settings.Shortlist
			r.jump(15 * time.Second)
			op := r.op(List)
			require.Equal(t, first, op.First)
			want := []string{"alice", "bob"}
			for i := range first {
				want = append(want, all[i].ID)
			}
			require.Equal(t, want, op.Also)
			r.answerList(all, 0)
			require.Len(t, r.m.View().Members, first+1)
			require.False(t, r.m.View().Complete)
		})
	}
	r := newRig(t).elect()
	op := r.op(List)
	require.Zero(t, op.First)
	require.Equal(t, r.m.tenure.token, op.Token)
	r.answer(List, listOf(op, all))
	require.True(t, r.m.View().Complete)
	require.Len(t, r.m.View().Members, 21)
	r.step(AimChanged{Aim: StandBy})
	r.m.candidates.due = r.now().Local
	r.step(Tick{})
	require.Zero(t, r.op(List).First, "until its work has returned, because it may hand over")
}

// TestWhatASubscriberLists: the shortlist and the leader.
func TestWhatASubscriberLists(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Aim = SubscribeOnly })
	r.step(Begin{}).answer(WatchTerm, r.reads(r.leader(bob, 1)))
	op := r.op(List)
	require.Equal(t, 8, op.First)
	require.Equal(t, []string{"bob"}, op.Also)
	r.answer(List, Answer{Ranked: []election.RankEntry{}})
	require.False(t, r.started(List), "the index need not have an entry of it")
}

// TestOneVersionstamp: two candidates that were registered in one transaction have an order.
func TestOneVersionstamp(t *testing.T) {
	for id, want := range map[string]int{"aaron": 1, "zoe": 0} {
		all := []election.Candidate{candidate(election.Identity{ID: id, Incarnation: uuid.UUID{9}}, 200), candidate(alice, 200)}
		if want == 0 {
			slices.Reverse(all)
		}
		require.Equal(t, want, followAmong(t, all).m.rankedBefore(), id)
		first := followAmong(t, all, func(s *Settings) { s.Shortlist = 1 })
		require.Equal(t, want == 1, first.m.outsideShortlist(), id)
	}
}

// TestOutsideTheShortlist: which candidates rank after the shortlist.
func TestOutsideTheShortlist(t *testing.T) {
	for _, c := range []struct {
		name   string
		n      int // candidates before it
		do     func(*rig)
		before int
		want   bool
	}{
		{"the last that is listed", 7, nil, 7, false},
		{"the first that is not", 8, nil, 8, true},
		{"far behind", 20, nil, 8, true},
		{"raised above all", 20, func(r *rig) { r.step(RegistrationChanged{Priority: 6}) }, 0, false},
		{"another priority, still behind", 20, func(r *rig) { r.step(RegistrationChanged{Priority: 4}) }, 8, true},
		{"lowered", 7, func(r *rig) { r.step(RegistrationChanged{Priority: 4}) }, 7, true},
		{"lowered, and all are listed", 6, func(r *rig) { r.step(RegistrationChanged{Priority: 4}) }, 6, false},
		{"the last leader", 7, func(r *rig) { r.m.leader.last = alice }, 7, true},
		{"the last leader, and all are listed", 6, func(r *rig) { r.m.leader.last = alice }, 6, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := followAmong(t, candidatesBefore(c.n))
			if c.do != nil {
				c.do(r)
			}
			require.Equal(t, c.want, r.m.outsideShortlist())
			require.Equal(t, c.before, r.m.rankedBefore())
			require.Equal(t, c.before == 0 && !c.want, r.m.firstInRank())
			require.Equal(t, c.want, r.m.outsideDelay() > 0)
		})
	}
}

// TestOutsideDelay: for any number of candidates outside of the shortlist, the first one
// claims soon, and few others claim before they can know of it.
func TestOutsideDelay(t *testing.T) {
	for _, n := range []int{1, 2, 10, 100, 1000, 10_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			const trials = 50
			var waits, rivals time.Duration
			for trial := range trials {
				var delays []time.Duration
				for i := range n {
					who := election.Identity{ID: fmt.Sprint(i), Incarnation: uuid.UUID{byte(trial)}}
					binary.BigEndian.PutUint32(who.Incarnation[8:], uint32(i))
					m := New(Settings{Me: election.Registration{Identity: who}})
					m.candidates.first = shortlist{more: true, entries: make([]election.RankEntry, 1)}
					m.leader.record.Ballot = uint64(trial)
					delays = append(delays, m.outsideDelay())
				}
				slices.Sort(delays)
				m := New(Settings{})
				require.LessOrEqual(t, delays[n-1], 33*m.claimInterval())
				waits += delays[0]
				for _, d := range delays[1:] {
					if d < delays[0]+m.claimInterval() {
						rivals++
					}
				}
			}
			t.Logf("the first after %s, and %.2f others within a gap", waits/trials, float64(rivals)/trials)
			require.LessOrEqual(t, float64(rivals)/trials, 2.0)
		})
	}
	m := New(testSettings())
	m.candidates.first = shortlist{more: true, entries: make([]election.RankEntry, 1)}
	m.me.Priority, m.store.latency = -1, 5*time.Second
	require.LessOrEqual(t, m.outsideDelay(), m.config.LeaseDuration, "of a slow store")
	m.store.latency, m.leader.last = 0, alice
	require.Equal(t, 13*150*time.Millisecond, m.outsideDelay(), "after all others")
}

// TestADeadShortlist: a follower outside of the shortlist claims, a little later.
func TestADeadShortlist(t *testing.T) {
	for name, dead := range map[string]int{"known to be dead": 8, "not known to be dead": 0} {
		t.Run(name, func(t *testing.T) {
			all := candidatesBefore(20)
			r := followAmong(t, all)
			leader := r.standing(bob, 1)
			var expired time.Duration
			for r.local < time.Minute {
				r.pass(10 * time.Millisecond)
				for _, op := range r.running() {
					switch {
					case op.Kind == List:
						require.NotZero(t, op.First, "there is a leader, or will be one soon")
						r.answerList(all, dead)
					case op.Kind == ElectionCycle && !op.Abstain:
						require.NotZero(t, expired, "the lease has not expired")
						wait := r.local - expired
						require.LessOrEqual(t, wait, 41*60*time.Millisecond)
						require.GreaterOrEqual(t, wait, time.Duration(8-dead)*60*time.Millisecond)
						return
					case op.Kind == ReadLeader || op.Kind == ElectionCycle:
						if r.local < 35*time.Second {
							leader.Ballot++ // it renews
						} else if expired == 0 {
							expired = r.local + r.config.LeaseDuration
						}
						r.answer(op.Kind, r.reads(leader))
					default:
					}
				}
			}
			require.Fail(t, "it does not claim")
		})
	}
}

// TestADeadShortlistWithoutALeader: each voter lists all candidates to find out which one is
// the first that is alive. That one evicts.
func TestADeadShortlistWithoutALeader(t *testing.T) {
	for _, c := range []struct {
		name   string
		dead   int
		evicts bool
	}{{"first", 20, true}, {"second", 19, false}} {
		t.Run(c.name, func(t *testing.T) {
			all := candidatesBefore(20)
			r := newRig(t, standingBy)
			r.step(Begin{}).answer(Register, Answer{Status: election.Status{Config: r.config}})
			r.answerList(all, c.dead)
			r.answer(WatchTerm, r.reads(r.vacant(1)))
			lists, evicted := 0, false
			for r.local < 2*time.Minute && !evicted {
				r.pass(time.Second)
				for _, op := range r.running() {
					switch op.Kind {
					case List:
						if r.answerList(all, c.dead); op.First == 0 {
							lists++
							require.Greater(t, r.local, 15*time.Second)
						}
					case ReadLeader, ElectionCycle:
						r.answer(op.Kind, r.reads(r.standing(election.Identity{}, 1)))
					case Evict:
						evicted = true
						require.Len(t, op.Members, c.dead)
						require.Less(t, r.local, 75*time.Second)
					default:
					}
				}
			}
			require.Equal(t, c.evicts, evicted)
			require.NotZero(t, lists)
		})
	}
}

// A damaged rank index does not keep a candidate from claiming: a voter that is missing in
// it lists all candidates instead.
func TestADamagedRankIndex(t *testing.T) {
	ghosts := make([]election.RankEntry, 8)
	for i := range ghosts {
		ghosts[i] = election.RankEntry{ID: fmt.Sprint("ghost", i), Priority: 99, Versionstamp: subspace.Versionstamp{User: uint16(i)}}
	}
	all := []election.Candidate{candidate(carol, 1), candidate(alice, 2)}
	for _, c := range []struct {
		name  string
		index []election.RankEntry
		all   bool // lists all candidates
	}{
		{"empty", []election.RankEntry{}, true},
		{"without its own entry", []election.RankEntry{rankOf(&all[0])}, true},
		{"without that of another one", []election.RankEntry{rankOf(&all[1])}, false},
		{"full of unknown entries", ghosts, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.config.AllowPreemption = false
			r.step(Begin{}).answer(Register, Answer{Status: election.Status{Config: r.config}})
			r.answer(List, Answer{Ranked: c.index, Members: all[1:]})
			require.Equal(t, c.all, r.started(List))
			if c.all {
				require.Zero(t, r.op(List).First)
				r.answer(List, Answer{Members: all})
				require.Equal(t, 1, r.m.rankedBefore())
			}
			require.False(t, r.started(List), "only once")
			r.answer(WatchTerm, r.reads(r.leader(bob, 1)))
			at, wants := r.m.claimTime()
			require.True(t, wants)
			require.LessOrEqual(t, at.Sub(localEpoch), 10*time.Second+40*60*time.Millisecond)
		})
	}
	r := newRig(t)
	r.step(Begin{}).answer(Register, Answer{Status: election.Status{Config: r.config}})
	r.answer(List, Answer{Ranked: []election.RankEntry{}}).answer(List, failing(errStore))
	require.False(t, r.started(List), "a list that fails is tried again later")
	r.answer(WatchTerm, r.reads(r.leader(bob, 1)))
	_, wants := r.m.claimTime()
	require.True(t, wants)
}
