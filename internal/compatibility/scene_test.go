package compatibility

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

// root is where the command looks for elections and groups without --root.
const root = "fdbelection"

// began is the time at which the scene begins, on all clocks.
var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(seconds int) time.Time { return began.Add(time.Duration(seconds) * time.Second) }

// id is a UUID that is the same in each run.
func id(n byte) uuid.UUID { return uuid.UUID{0: n, 6: 0x40, 8: 0x80, 15: n} }

// who is a process of the scene. Its incarnation follows from the first letter of its name.
func who(name string) election.Identity {
	return election.Identity{ID: name, Incarnation: id(name[0])}
}

// scene is a store with elections and a group, and the clock of its processes.
type scene struct {
	t *testing.T
	*filekv.DB
	now time.Time
}

// open opens a store, and creates it if it does not exist.
func open(t *testing.T, file string, now time.Time) *scene {
	t.Helper()
	s := &scene{t: t, now: now}
	db, err := filekv.Open(file, filekv.Options{Now: func() time.Time { return s.now }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	s.DB = db
	return s
}

func (s *scene) does(fn func(tr kv.Transaction) error) {
	s.t.Helper()
	require.NoError(s.t, s.Transact(s.t.Context(), fn))
}

func (s *scene) election(name string) *election.LeaderElection {
	seed := [32]byte{}
	binary.BigEndian.PutUint64(seed[:], uint64(s.now.UnixNano()))
	copy(seed[8:], name)
	return election.New(subspace.New(root, name),
		election.WithClock(election.Clock{Run: id('C'), Now: func() time.Time { return s.now }}),
		election.WithRandom(rand.NewChaCha8(seed)))
}

func (s *scene) group() *group.Group { return group.New(subspace.New(root, "pool")) }

// cycle runs an election cycle at an instant, and requires what it does.
func (s *scene) cycle(name string, seconds int, want election.Action, me election.Registration) election.CycleResult {
	s.t.Helper()
	result := s.cycles(name, seconds, me)
	require.Equal(s.t, want.String(), result.Action.String())
	return result
}

// cycles runs an election cycle at an instant.
func (s *scene) cycles(
	name string, seconds int, me election.Registration, opts ...election.CycleOption,
) election.CycleResult {
	s.t.Helper()
	s.now = at(seconds)
	result, err := kv.Transact(s.t.Context(), s, func(tr kv.Transaction) (election.CycleResult, error) {
		return s.election(name).RunElectionCycle(tr, me, s.now, opts...)
	})
	require.NoError(s.t, err)
	return result
}

func (s *scene) register(name string, candidates ...election.Registration) {
	s.t.Helper()
	for _, one := range candidates {
		s.does(func(tr kv.Transaction) error { return s.election(name).RegisterCandidate(tr, one, s.now) })
	}
}

// The processes of the elections.
var (
	anna = election.Registration{
		Identity: who("anna"), Priority: 100, Metadata: map[string]string{"addr": "10.0.0.1:80", "zone": "a"},
	}
	bert  = election.Registration{Identity: who("bert")}
	cora  = election.Registration{Identity: who("cora"), Role: election.Observer}
	doris = election.Registration{
		Identity: who("doris"), Priority: -7, NotReady: "cache is cold",
		Delay: election.Delay{Rule: "hold-off", Until: at(60)},
	}
	erik  = election.Registration{Identity: who("erik")}
	frida = election.Registration{Identity: who("frida")}
)

// play writes the scene. It ends 20 seconds after its beginning.
func (s *scene) play() {
	s.playBilling()
	s.playOthers()
	s.playGroup()
	s.now = at(20)
}

// playBilling lets bert lead first and resign. Then anna leads, and an operator asks for a transfer to bert.
func (s *scene) playBilling() {
	e := s.election("billing")
	s.does(func(tr kv.Transaction) error { _, err := e.Initialize(tr); return err })
	s.register("billing", bert, cora, doris)
	first := s.cycle("billing", 0, election.Claimed, bert).Leader
	s.cycle("billing", 3, election.Renewed, bert)
	s.does(func(tr kv.Transaction) error { return e.ResignLeadership(tr, first.Token(), at(4)) })
	s.register("billing", anna)
	leader := s.cycle("billing", 5, election.Claimed, anna).Leader
	s.does(func(tr kv.Transaction) error { return e.RecordDuplicate(tr, anna.Identity, who("zoe"), at(6)) })
	s.cycle("billing", 8, election.Followed, bert)
	s.cycle("billing", 8, election.Followed, doris)
	s.cycle("billing", 14, election.Renewed, anna)
	s.does(func(tr kv.Transaction) error { return e.RequestTransfer(tr, leader.Term, "bert", id('n')) })
}

// playOthers makes an election whose leader is challenged, one by clock whose leader dies, and a vacant one.
func (s *scene) playOthers() {
	s.now = at(0)
	s.does(func(tr kv.Transaction) error { _, err := s.election("challenged").Initialize(tr); return err })
	s.register("challenged", bert)
	s.cycle("challenged", 0, election.Claimed, bert)
	s.register("challenged", anna)
	s.cycle("challenged", 4, election.Followed, anna)
	s.cycle("challenged", 8, election.Renewed, bert)
	s.cycle("challenged", 15, election.RequestedPreemption, anna)
	s.cycle("challenged", 16, election.Renewed, bert)

	s.now = at(0)
	s.does(func(tr kv.Transaction) error {
		_, err := s.election("clock").InitializeWithConfig(tr, fdbelection.RecipeConfig())
		return err
	})
	s.register("clock", erik, frida)
	s.cycle("clock", 1, election.Claimed, erik)

	s.now = at(0)
	s.does(func(tr kv.Transaction) error { _, err := s.election("vacant").Initialize(tr); return err })
	s.register("vacant", erik)
	token := s.cycle("vacant", 0, election.Claimed, erik).Leader.Token()
	s.does(func(tr kv.Transaction) error { return s.election("vacant").ResignLeadership(tr, token, at(1)) })
	s.does(func(tr kv.Transaction) error {
		return s.election("vacant").UnregisterCandidate(tr, erik.Identity, at(1))
	})
}

// playGroup makes a group: anna leads s0, bert leads s1 after a hand-over, s2 was released, and s9 was removed.
func (s *scene) playGroup() {
	s.now = at(0)
	g := s.group()
	s.does(func(tr kv.Transaction) error { _, err := g.Initialize(tr, group.DefaultConfig()); return err })
	s.does(func(tr kv.Transaction) error {
		_, err := g.CreateShards(tr, []string{"s0", "s1", "s2", "s9"}, s.now)
		return err
	})
	s.join(group.Member{Identity: who("anna"), Weight: 3, Capacity: 500, Tags: map[string]string{"zone": "a"}})
	s.join(group.Member{Identity: who("bert"), Weight: 1})
	s.join(group.Member{Identity: who("cora"), Weight: 1, NotReady: "cache is cold"})
	s.claim("anna", "s0", "s1", "s2", "s9")
	s.release("anna", group.Release{Token: s.shard("s1").Token(), Target: who("bert"), Reason: group.ReasonBalance, Moves: 1})
	s.release("anna", group.Release{Token: s.shard("s2").Token(), Reason: group.ReasonWork})
	s.release("anna", group.Release{Token: s.shard("s9").Token(), Reason: group.ReasonWork, Remove: true})
	s.does(func(tr kv.Transaction) error { return g.Pin(tr, "s2", "bert") })
	s.does(func(tr kv.Transaction) error { return g.Drain(tr, "dora") })
	s.does(func(tr kv.Transaction) error { return g.RequestResign(tr, "s1", s.shard("s1").Term, id('r')) })
	s.heartbeat("anna", 1)
}

func (s *scene) join(m group.Member) {
	s.t.Helper()
	m.JoinedAt, m.Balance = s.now, 1
	s.does(func(tr kv.Transaction) error { _, _, err := s.group().Join(tr, group.Joining{Member: m}); return err })
}

func (s *scene) claim(name string, shards ...string) {
	s.t.Helper()
	claims := make([]group.Claim, len(shards))
	for i, shard := range shards {
		claims[i] = group.Claim{Shard: shard, Nonce: id(byte(i + 1))}
	}
	s.does(func(tr kv.Transaction) error {
		outcomes, err := s.group().Claim(tr, who(name), claims, s.now)
		for _, o := range outcomes {
			require.NoError(s.t, o.Err)
		}
		return err
	})
}

func (s *scene) release(name string, release group.Release) {
	s.t.Helper()
	release.Nonce = id('R')
	s.does(func(tr kv.Transaction) error {
		outcomes, err := s.group().Release(tr, who(name), []group.Release{release}, s.now)
		for _, o := range outcomes {
			require.NoError(s.t, o.Err)
		}
		return err
	})
}

func (s *scene) shard(name string) *group.Shard {
	s.t.Helper()
	shard, err := kv.ReadTransact(s.t.Context(), s, func(tr kv.ReadTransaction) (group.Shard, error) {
		return s.group().ReadShard(tr, name)
	})
	require.NoError(s.t, err)
	return &shard
}

func (s *scene) heartbeat(name string, least uint64) group.Beat {
	s.t.Helper()
	beat, err := kv.Transact(s.t.Context(), s, func(tr kv.Transaction) (group.Beat, error) {
		version, err := tr.GetReadVersion().Get()
		if err != nil {
			return group.Beat{}, err
		}
		beat, _, err := s.group().Heartbeat(tr, who(name), least, version)
		return beat, err
	})
	require.NoError(s.t, err)
	return beat
}
