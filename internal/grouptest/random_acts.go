package grouptest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

// acting changes a group by random acts of a few processes and operators.
type acting struct {
	*testGroup
	random  *rand.Rand
	start   int64
	members map[string]group.Member // the last session of each id, which may have ended
	newest  map[string]group.Shard  // the newest tenure of each shard
	done    map[string]int          // how often each act has committed
}

var (
	actors = []string{"m1", "m2", "m3"}
	shards = []string{"a", "a b", "ab", "b", "c", "ü"}
)

func newActing(g *testGroup, random *rand.Rand) *acting {
	g.T.Helper()
	g.initialized(shards[:3]...)
	g.foreign()
	return &acting{
		testGroup: g, random: random, start: g.now(), members: map[string]group.Member{},
		newest: map[string]group.Shard{}, done: map[string]int{},
	}
}

func (a *acting) pick(of []string) string { return of[a.random.IntN(len(of))] }

func (a *acting) nonce() uuid.UUID {
	var nonce uuid.UUID
	for i := range nonce {
		nonce[i] = byte(a.random.Uint32())
	}
	return nonce
}

// act runs one to three acts in one transaction. If one of them fails, none of them takes place.
func (a *acting) act() {
	a.T.Helper()
	joined := map[string]group.Member{}
	var names []string
	err := a.Try(func(tr kv.Transaction) error {
		clear(joined)
		names = nil
		for range 1 + a.random.IntN(3) {
			name, err := a.one(tr, joined)
			if err != nil {
				return err
			}
			names = append(names, name)
		}
		return nil
	})
	require.Zero(a.T, kv.CodeOf(err), "%v: %v", names, err)
	if err != nil {
		a.done["refused"]++
		return
	}
	maps.Copy(a.members, joined)
	for _, name := range names {
		a.done[name]++
	}
	a.requireTermsToGrow()
}

// requireTermsToGrow: each shard has one tenure per term, and terms only grow, also through
// removal and creation.
func (a *acting) requireTermsToGrow() {
	a.T.Helper()
	for _, row := range a.rows() {
		if row.Shard == nil {
			continue
		}
		now, last := *row.Shard, a.newest[row.Name]
		require.GreaterOrEqual(a.T, now.Term, last.Term, row.Name)
		if now.Term == last.Term && !now.Vacant() {
			require.Equal(a.T, last.Token(), now.Token(), "two tenures in one term of %s", row.Name)
		}
		if !now.Vacant() {
			a.newest[row.Name] = now
		}
	}
}

func (a *acting) one(tr kv.Transaction, joined map[string]group.Member) (name string, err error) {
	me, known := joined[a.pick(actors)], false
	if me.ID == "" {
		me, known = a.members[a.pick(actors)], true
	}
	shard, id := a.pick(shards), a.pick(actors)
	if me.ID == "" || a.random.IntN(12) == 0 {
		return "join", a.joins(tr, id, joined)
	}
	switch n := a.random.IntN(16); n {
	case 0:
		beat, _, err := a.Heartbeat(tr, me.Identity, 0, 0)
		require.True(a.T, err != nil || beat.Counter > 1 && known || !known)
		return "heartbeat", err
	case 1, 2:
		me.NotReady, me.Draining = "", a.random.IntN(6) == 0
		if a.random.IntN(4) == 0 {
			me.NotReady = settling
		}
		me.Weight, me.Tags = a.random.Int32N(4), map[string]string{"n": fmt.Sprint(a.random.IntN(3))}
		return "update", a.UpdateMember(tr, me)
	case 3:
		return "leave", a.Leave(tr, me.Identity)
	case 4:
		return "evict", a.evicts(tr, me, id)
	case 5, 6, 7:
		wanted := []group.Claim{{Shard: shard, Nonce: a.nonce()}}
		if other := a.pick(shards); other != shard {
			wanted = append(wanted, group.Claim{Shard: other, Nonce: a.nonce()})
		}
		_, err := a.Claim(tr, me.Identity, wanted, at(float64(a.random.IntN(99))))
		return "claim", err
	case 8, 9, 10:
		return "release", a.randomRelease(tr, me, shard, id)
	default:
		return a.steers(tr, shard, id)
	}
}

func (a *acting) joins(tr kv.Transaction, id string, joined map[string]group.Member) error {
	m := group.Member{
		Identity: election.Identity{ID: id, Incarnation: a.nonce()}, JoinedAt: at(0),
		Weight: 1, Balance: group.BalanceVersion,
	}
	j := group.Joining{Member: m}
	if last, found := a.members[id]; found {
		j.Own = append(j.Own, last.Incarnation)
	}
	if last, found := joined[id]; found {
		j.Own = append(j.Own, last.Incarnation)
	}
	_, _, err := a.Join(tr, j)
	joined[id] = m
	return err
}

func (a *acting) evicts(tr kv.Transaction, me group.Member, id string) error {
	beats, err := a.ReadBeats(tr, id)
	if err != nil || len(beats) == 0 {
		return err
	}
	_, err = a.Evict(tr, me.Identity, beats[0])
	return err
}

func (a *acting) randomRelease(tr kv.Transaction, me group.Member, name, target string) error {
	shard, err := a.ReadShard(tr, name)
	if err != nil {
		return err
	}
	r := group.Release{Token: shard.Token(), Nonce: a.nonce(), Reason: group.Reason(a.random.IntN(8)), Moves: a.random.Uint32N(9)}
	switch a.random.IntN(3) {
	case 0:
		r.Remove = true
	case 1:
		r.Target = a.members[target].Identity
	}
	_, err = a.Release(tr, me.Identity, []group.Release{r}, at(float64(a.random.IntN(99))))
	return err
}

// steers runs an act of an operator.
func (a *acting) steers(tr kv.Transaction, shard, id string) (name string, err error) {
	switch a.random.IntN(11) {
	case 8:
		_, err = a.RaiseTerms(tr, []string{shard, a.pick(shards)}, uint64(1+a.random.IntN(300)), at(1))
		return "raise", err
	case 0:
		_, err = a.CreateShards(tr, []string{shard, a.pick(shards)}, at(0))
		return "create", err
	case 1:
		_, err = a.RemoveShards(tr, []string{shard, a.pick(shards)})
		return "remove", err
	case 2:
		return "pin", a.Pin(tr, shard, id)
	case 3:
		_, err = a.Unpin(tr, shard)
		return "unpin", err
	case 4:
		return "drain", a.Drain(tr, id)
	case 5:
		_, err = a.Undrain(tr, id)
		return "undrain", err
	case 6:
		now, err := a.ReadShard(tr, shard)
		if err != nil {
			return "", err
		}
		return "resign", a.RequestResign(tr, shard, now.Term, a.nonce())
	case 7:
		_, err = a.CancelRequest(tr, shard)
		return "cancel", err
	default:
		config := group.ConfigWithLease(time.Duration(10+a.random.IntN(20)) * time.Second)
		config.Nonce, config.Enabled = a.nonce(), a.random.IntN(4) > 0
		_, err = a.WriteConfig(tr, config)
		return "config", err
	}
}

// varied reports whether each act has taken place, so that the test has tested something.
func (a *acting) varied() bool {
	const all = "join heartbeat update leave evict claim release create remove raise pin unpin drain undrain resign cancel config"
	for name := range strings.FieldsSeq(all) {
		if a.done[name] == 0 {
			return false
		}
	}
	return true
}
