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

// crowd is n candidates of priority 5 that registered before alice, and alice.
func crowd(n int) []election.Candidate {
	var all []election.Candidate
	for i := range n {
		who := election.Identity{ID: fmt.Sprintf("c%02d", i), Incarnation: uuid.UUID{100, byte(i)}}
		all = append(all, candidate(who, byte(i)+1))
	}
	return append(all, candidate(alice, 200))
}

// seen is what a list reads of candidates that are in the order of their rank.
func seen(op Operation, all []election.Candidate) Answer {
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

// lists answers the list that is under way, with candidates whose counters moved unless
// they are dead.
func (r *rig) lists(all []election.Candidate, dead int) Operation {
	r.t.Helper()
	op := r.op(List)
	for i := range all[dead:] {
		all[dead+i].Heartbeats++
	}
	r.answer(List, seen(op, all))
	return op
}

// among has alice follow bob in the lead, among others.
func among(t *testing.T, all []election.Candidate, changes ...func(*Settings)) *rig {
	t.Helper()
	r := newRig(t, changes...)
	r.config.AllowPreemption = false
	r.step(Begin{}).answer(Register, Answer{Status: election.Status{Config: r.config}})
	r.lists(all, 0)
	return r.answer(WatchTerm, r.reads(r.leader(bob, 1)))
}

// TestWhoListsWhat: a follower lists the first by rank, the leader and itself, in one wave
// of reads once it knows them, and a leader lists all.
func TestWhoListsWhat(t *testing.T) {
	all := crowd(20)
	for name, change := range map[string]func(*Settings){
		"a voter":               func(*Settings) {},
		"on standby":            standingBy,
		"an observer":           func(s *Settings) { s.Me.Role = election.Observer },
		"with a shortlist of 3": func(s *Settings) { s.Shortlist = 3 },
	} {
		t.Run(name, func(t *testing.T) {
			r := among(t, all, change)
			first := r.m.settings.Shortlist
			r.jump(15 * time.Second)
			op := r.op(List)
			require.Equal(t, first, op.First)
			want := []string{"alice", "bob"}
			for i := range first {
				want = append(want, all[i].ID)
			}
			require.Equal(t, want, op.Also)
			r.lists(all, 0)
			require.Len(t, r.m.View().Members, first+1)
			require.False(t, r.m.View().Complete)
		})
	}
	r := newRig(t).elect()
	op := r.op(List)
	require.Zero(t, op.First)
	require.Equal(t, r.m.tenure.token, op.Token)
	r.answer(List, seen(op, all))
	require.True(t, r.m.View().Complete)
	require.Len(t, r.m.View().Members, 21)
	r.step(AimChanged{Aim: StandBy})
	r.m.candidates.due = r.now().Local
	r.step(Tick{})
	require.Zero(t, r.op(List).First, "until its work has returned: it may hand over")
}

// TestASpectatorLists the first by rank, and the leader.
func TestASpectatorLists(t *testing.T) {
	r := newRig(t, func(s *Settings) { s.Aim = SubscribeOnly })
	r.step(Begin{}).answer(WatchTerm, r.reads(r.leader(bob, 1)))
	op := r.op(List)
	require.Equal(t, 8, op.First)
	require.Equal(t, []string{"bob"}, op.Also)
	r.answer(List, Answer{Ranked: []election.RankEntry{}})
	require.False(t, r.started(List), "the index need not name it")
}

// TestOneVersionstamp: of two that were registered in one transaction, one goes first.
func TestOneVersionstamp(t *testing.T) {
	for id, want := range map[string]int{"aaron": 1, "zoe": 0} {
		all := []election.Candidate{candidate(election.Identity{ID: id, Incarnation: uuid.UUID{9}}, 200), candidate(alice, 200)}
		if want == 0 {
			slices.Reverse(all)
		}
		require.Equal(t, want, among(t, all).m.rankedBefore(), id)
		first := among(t, all, func(s *Settings) { s.Shortlist = 1 })
		require.Equal(t, want == 1, first.m.outsideShortlist(), id)
	}
}

// TestOutside: who ranks after all that are listed.
func TestOutside(t *testing.T) {
	for _, c := range []struct {
		name  string
		crowd int
		do    func(*rig)
		ahead int
		want  bool
	}{
		{"the last that is listed", 7, nil, 7, false},
		{"the first that is not", 8, nil, 8, true},
		{"far behind", 20, nil, 8, true},
		{"raised above all", 20, func(r *rig) { r.step(RegistrationChanged{Priority: 6}) }, 0, false},
		{"raised in vain", 20, func(r *rig) { r.step(RegistrationChanged{Priority: 4}) }, 8, true},
		{"lowered", 7, func(r *rig) { r.step(RegistrationChanged{Priority: 4}) }, 7, true},
		{"lowered, and all are listed", 6, func(r *rig) { r.step(RegistrationChanged{Priority: 4}) }, 6, false},
		{"it held the seat last", 7, func(r *rig) { r.m.leader.last = alice }, 7, true},
		{"and all are listed", 6, func(r *rig) { r.m.leader.last = alice }, 6, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := among(t, crowd(c.crowd))
			if c.do != nil {
				c.do(r)
			}
			require.Equal(t, c.want, r.m.outsideShortlist())
			require.Equal(t, c.ahead, r.m.rankedBefore())
			require.Equal(t, c.ahead == 0 && !c.want, r.m.firstInRank())
			require.Equal(t, c.want, r.m.outsideDelay() > 0)
		})
	}
}

// TestTheSpread: however many candidates are outside of the shortlist, the first of them
// claims soon enough, and few others claim before they can know of it.
func TestTheSpread(t *testing.T) {
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

// TestTheFirstAreDead: a follower outside of the shortlist claims all the same, a little
// later.
func TestTheFirstAreDead(t *testing.T) {
	for name, dead := range map[string]int{"as it knows": 8, "and it does not know": 0} {
		t.Run(name, func(t *testing.T) {
			all := crowd(20)
			r := among(t, all)
			seat := r.standing(bob, 1)
			var open time.Duration
			for r.local < time.Minute {
				r.pass(10 * time.Millisecond)
				for _, op := range r.underWay() {
					switch {
					case op.Kind == List:
						require.NotZero(t, op.First, "there is a leader, or will be soon")
						r.lists(all, dead)
					case op.Kind == ElectionCycle && !op.Abstain:
						require.NotZero(t, open, "it is out of turn")
						wait := r.local - open
						require.LessOrEqual(t, wait, 41*60*time.Millisecond)
						require.GreaterOrEqual(t, wait, time.Duration(8-dead)*60*time.Millisecond)
						return
					case op.Kind == ReadLeader || op.Kind == ElectionCycle:
						if r.local < 35*time.Second {
							seat.Ballot++ // it renews
						} else if open == 0 {
							open = r.local + r.config.LeaseDuration
						}
						r.answer(op.Kind, r.reads(seat))
					default:
					}
				}
			}
			require.Fail(t, "it does not claim")
		})
	}
}

// TestTheFirstAreDeadAndThereIsNoLeader: each voter lists all to find out which one is the
// first that is alive, and that one evicts.
func TestTheFirstAreDeadAndThereIsNoLeader(t *testing.T) {
	for _, c := range []struct {
		name   string
		dead   int
		evicts bool
	}{{"first", 20, true}, {"second", 19, false}} {
		t.Run(c.name, func(t *testing.T) {
			all := crowd(20)
			r := newRig(t, standingBy)
			r.step(Begin{}).answer(Register, Answer{Status: election.Status{Config: r.config}})
			r.lists(all, c.dead)
			r.answer(WatchTerm, r.reads(r.vacant(1)))
			lists, evicted := 0, false
			for r.local < 2*time.Minute && !evicted {
				r.pass(time.Second)
				for _, op := range r.underWay() {
					switch op.Kind {
					case List:
						if r.lists(all, c.dead); op.First == 0 {
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

// TestARankIndexThatIsDamaged keeps no candidate from taking its turn: one that finds
// itself missing lists all instead.
func TestARankIndexThatIsDamaged(t *testing.T) {
	ghosts := make([]election.RankEntry, 8)
	for i := range ghosts {
		ghosts[i] = election.RankEntry{ID: fmt.Sprint("ghost", i), Priority: 99, Versionstamp: subspace.Versionstamp{User: uint16(i)}}
	}
	all := []election.Candidate{candidate(carol, 1), candidate(alice, 2)}
	for _, c := range []struct {
		name  string
		index []election.RankEntry
		whole bool // lists all
	}{
		{"it is gone", []election.RankEntry{}, true},
		{"without its own entry", []election.RankEntry{rankOf(&all[0])}, true},
		{"without that of another one", []election.RankEntry{rankOf(&all[1])}, false},
		{"full of others", ghosts, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.config.AllowPreemption = false
			r.step(Begin{}).answer(Register, Answer{Status: election.Status{Config: r.config}})
			r.answer(List, Answer{Ranked: c.index, Members: all[1:]})
			require.Equal(t, c.whole, r.started(List))
			if c.whole {
				require.Zero(t, r.op(List).First)
				r.answer(List, Answer{Members: all})
				require.Equal(t, 1, r.m.rankedBefore())
			}
			require.False(t, r.started(List), "not without end")
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
