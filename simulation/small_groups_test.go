package simulation

import (
	"slices"
	"time"
)

type groupActs = [][]groupAct

// leaseOver is a step of time after which every heartbeat has stood still for its lease.
var leaseOver = []time.Duration{smallLease + 1}

// What the actors have done before the schedule begins.
var (
	member  = []groupAct{doJoin, doReady}
	leader  = []groupAct{doJoin, doReady, doClaim}
	watcher = []groupAct{doJoin, doReady, doLook} // it has seen the heartbeats of those before it
)

// exploredGroup is a small world of TestExploreGroups.
type exploredGroup struct {
	name    string
	size    groupSize
	reduced bool // TestGroupReductions compares it with a run of every schedule
	world   smallGroup
}

// groupSize says which form of the test runs a world.
type groupSize int

const (
	quickGroup groupSize = iota // the quick form, and all others
	longGroup                   // a few seconds: the long form
	largeGroup                  // more: EXPLORE=all
)

func exploredGroups() []exploredGroup {
	return slices.Concat(groupsOfTenures(), groupsOfSessions(), groupsOfOperators(), largeGroups())
}

// What a schedule may inject.
var (
	oneLost   = limits{lost: 1}
	timed     = limits{lost: 1, passing: leaseOver}
	delayed   = limits{lost: 1, delayed: 1}
	timedLate = limits{lost: 1, delayed: 1, passing: leaseOver}
	// A read version of before the second step is too old.
	tooOld  = limits{lost: 1, passing: []time.Duration{smallLease + 1, time.Minute}}
	exactly = limits{lost: 1, passing: []time.Duration{smallLease - 1, 1}}
)

// groupsOfTenures claim, release and hand over.
func groupsOfTenures() []exploredGroup {
	return []exploredGroup{
		{"claiming and writing", quickGroup, true, smallGroup{
			before: groupActs{member, member}, shards: 1, limits: oneLost,
			acts: groupActs{{doClaim, doWrite}, {doClaim, doWrite}},
		}},
		{"claiming in a group that is disabled", quickGroup, true, smallGroup{
			before: groupActs{member}, shards: 1, limits: oneLost,
			acts: groupActs{{doClaim, doWrite}, {doDisable, doEnable}},
		}},
		{"claiming by members that are not ready", quickGroup, true, smallGroup{
			before: groupActs{member, {doJoin}}, shards: 1, limits: oneLost,
			acts: groupActs{{doUnready, doClaim}, {doClaim, doReady, doClaim}},
		}},
		{"handing over", quickGroup, true, smallGroup{
			before: groupActs{leader, member}, shards: 1, limits: oneLost,
			acts: groupActs{{doHandOver("b"), doWrite}, {doRead, doWrite, doRelease}},
		}},
		{"handing over to a member that changes", quickGroup, true, smallGroup{
			before: groupActs{leader, member}, shards: 1, limits: oneLost,
			acts: groupActs{{doHandOver("b"), doClaim}, {doUnready, doRead, doReady}},
		}},
		{"handing over to a member that leaves", quickGroup, true, smallGroup{
			before: groupActs{leader, member}, shards: 1, limits: oneLost,
			acts: groupActs{{doHandOver("b"), doClaim}, {doDrain, doRead, doRelease, doLeave}},
		}},
		{"handing over in a group that is disabled", quickGroup, true, smallGroup{
			before: groupActs{leader, member}, shards: 1, limits: oneLost,
			acts: groupActs{{doHandOver("b")}, {doDisable, doEnable}},
		}},
		{"releasing and claiming", quickGroup, true, smallGroup{
			before: groupActs{leader, member}, shards: 1, limits: delayed,
			acts: groupActs{{doRelease, doRelease, doWrite}, {doClaim, doRelease, doClaim}},
		}},
		{"releasing the tenure of another", quickGroup, true, smallGroup{
			before: groupActs{leader, member}, shards: 1, limits: delayed,
			acts: groupActs{{doWrite, doRelease}, {doReleaseOther, doClaim}},
		}},
	}
}

// groupsOfSessions join, evict and leave.
func groupsOfSessions() []exploredGroup {
	twoProcesses := []string{"a", "a"}
	return []exploredGroup{
		{"evicting a slow leader", quickGroup, false, smallGroup{
			before: groupActs{leader, watcher}, shards: 1, limits: timed,
			acts: groupActs{{doBeat, doWrite}, {doEvict("a"), doClaim, doWrite}},
		}},
		{"a slow member that claims", quickGroup, false, smallGroup{
			before: groupActs{member, watcher}, shards: 1, limits: timed,
			acts: groupActs{{doClaim, doWrite}, {doEvict("a"), doClaim, doWrite}},
		}},
		{"a slow leader that hands over", quickGroup, true, smallGroup{
			before: groupActs{leader, watcher}, shards: 1, limits: timed,
			acts: groupActs{{doHandOver("b"), doJoin}, {doEvict("a"), doClaim}},
		}},
		{"a very slow leader that hands over", longGroup, false, smallGroup{
			before: groupActs{leader, watcher}, shards: 1, limits: tooOld,
			acts: groupActs{{doHandOver("b"), doJoin}, {doEvict("a"), doClaim}},
		}},
		{"evicting to the nanosecond", longGroup, false, smallGroup{
			before: groupActs{leader, watcher}, shards: 1, limits: exactly,
			acts: groupActs{{doBeat, doBeat}, {doLook, doBeat, doEvict("a"), doClaim}},
		}},
		{"joining again", quickGroup, true, smallGroup{
			before: groupActs{leader, watcher}, shards: 1, limits: timed,
			acts: groupActs{{doBeat, doJoin, doReady}, {doEvict("a"), doClaim}},
		}},
		{"two processes with one id", quickGroup, true, smallGroup{
			ids: twoProcesses, before: groupActs{leader, {doLook}}, shards: 1, limits: timed,
			acts: groupActs{{doBeat}, {doJoin, doReady, doClaim}},
		}},
		{"a leader whose id another process has", quickGroup, true, smallGroup{
			ids: twoProcesses, before: groupActs{leader, {doLook}}, shards: 1, limits: timed,
			acts: groupActs{{doRelease, doUnready}, {doJoin, doReady, doClaim}},
		}},
		{"late commits of members that leave", quickGroup, true, smallGroup{
			shards: 1, limits: delayed,
			acts: groupActs{{doJoin, doLeave}, {doJoin, doLeave}},
		}},
		{"late commits of a leader that leaves", longGroup, false, smallGroup{
			before: groupActs{leader, watcher}, shards: 1, limits: timedLate,
			acts: groupActs{{doHandOver("b"), doDrain, doRelease, doLeave}, {doEvict("a"), doClaim}},
		}},
	}
}

// groupsOfOperators create and remove shards, steer, and raise terms.
func groupsOfOperators() []exploredGroup {
	return []exploredGroup{
		{"removing and creating", quickGroup, true, smallGroup{
			before: groupActs{leader}, shards: 1, limits: oneLost,
			acts: groupActs{{doRelease, doClaim}, {doRemoveShard, doCreateShard}},
		}},
		{"removing and creating by two operators", quickGroup, false, smallGroup{
			before: groupActs{member}, shards: 1, limits: oneLost,
			acts: groupActs{{doClaim, doWrite}, {doRemoveShard, doCreateShard}, {doCreateShard}},
		}},
		{"removing by the leader", quickGroup, true, smallGroup{
			before: groupActs{leader}, shards: 1, limits: oneLost,
			acts: groupActs{{doRemove, doClaim}, {doRemoveShard, doCreateShard}},
		}},
		{"removing the shard of a leader that is evicted", quickGroup, false, smallGroup{
			before: groupActs{leader, watcher}, shards: 1, limits: timed,
			acts: groupActs{{doRelease, doWrite}, {doEvict("a"), doRemoveShard, doCreateShard}},
		}},
		{"pins and requests of a shard that is removed", quickGroup, false, smallGroup{
			before: groupActs{leader}, shards: 1, limits: oneLost,
			acts: groupActs{{doRemove}, {doPin, doUnpin}, {doAskToResign, doCancel}},
		}},
		{"asking to resign", quickGroup, true, smallGroup{
			before: groupActs{leader, member}, shards: 1, limits: oneLost,
			acts: groupActs{{doHandOver("b")}, {doDrainMember, doAskToResign, doRead}},
		}},
		{"raising terms", quickGroup, false, smallGroup{ // from term 2, to term 3
			before: groupActs{{doJoin, doReady, doClaim, doRelease, doClaim}}, shards: 1, limits: oneLost,
			acts: groupActs{{doRelease, doClaim, doRelease, doClaim, doWrite}, {doRaise}},
		}},
		{"raising terms while a shard is created", quickGroup, false, smallGroup{
			before: groupActs{member}, shards: 1, limits: oneLost,
			acts: groupActs{{doClaim, doWrite}, {doRaise}, {doRemoveShard, doCreateShard}},
		}},
		{"two shards", quickGroup, true, smallGroup{
			before: groupActs{leader, watcher}, shards: 2, limits: timed,
			acts: groupActs{{doHandOver("b"), doRead}, {doEvict("a"), doClaim, doHandOver("a")}},
		}},
	}
}

// largeGroups have three actors.
func largeGroups() []exploredGroup {
	return []exploredGroup{
		{"3 x 2, claiming and writing", longGroup, false, smallGroup{
			before: groupActs{member, member, member}, shards: 1, limits: oneLost,
			acts: groupActs{{doClaim, doWrite}, {doClaim, doWrite}, {doClaim, doWrite}},
		}},
		{"3 x 2, evicting, claiming and handing over", largeGroup, false, smallGroup{
			before: groupActs{leader, watcher, watcher}, shards: 1, limits: timed,
			acts: groupActs{{doBeat, doHandOver("b")}, {doEvict("a"), doClaim}, {doEvict("a"), doClaim}},
		}},
		{"3 x 3, handing over in a chain", largeGroup, false, smallGroup{
			before: groupActs{leader, member, member}, shards: 1, limits: oneLost,
			acts: groupActs{{doHandOver("b"), doWrite, doClaim}, {doRead, doWrite, doHandOver("c")}, {doRead, doWrite, doRelease}},
		}},
		{"3 x 3, evicting, claiming and writing", largeGroup, false, smallGroup{
			before: groupActs{leader, watcher, watcher}, shards: 1, limits: timed,
			acts: groupActs{{doBeat, doHandOver("b"), doBeat}, {doEvict("a"), doClaim, doWrite}, {doEvict("a"), doClaim, doWrite}},
		}},
		{"3 x 3, leaving, evicting and disabling", largeGroup, false, smallGroup{
			before: groupActs{leader, watcher}, shards: 1, limits: timedLate,
			acts: groupActs{{doDrain, doHandOver("b"), doLeave}, {doEvict("a"), doClaim, doWrite}, {doDisable, doEnable}},
		}},
		{"3 x 2, two shards", largeGroup, false, smallGroup{
			before: groupActs{leader, watcher, watcher}, shards: 2, limits: timed,
			acts: groupActs{{doHandOver("b"), doRead}, {doEvict("a"), doClaim}, {doEvict("a"), doClaim}},
		}},
	}
}
