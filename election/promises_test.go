package election_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

var (
	promisesFirst = flag.Uint64("promises.seed", 1, "the first seed of TestPromises")
	promisesSeeds = flag.Uint64("promises.seeds", 100, "how many seeds TestPromises runs")
)

// TestPromises runs a few processes that only cycle, keep nothing between two cycles
// and come late now and then, with operators who ask, transactions that are given up and
// leader records that are removed. A process that is told that it leads until an
// instant is the only one until then, and gives nothing up before.
func TestPromises(t *testing.T) {
	seen := map[election.Action]bool{}
	for seed := *promisesFirst; seed < *promisesFirst+*promisesSeeds; seed++ {
		ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Logf("replay: go test ./election -run TestPromises -promises.seed=%d -promises.seeds=1", seed)
			newPromises(t, seed, seen).run()
		})
		if !ok {
			return
		}
	}
	if *promisesSeeds >= 100 {
		for _, action := range []election.Action{election.Claimed, election.Renewed, election.RequestedPreemption, election.HandedOver, election.Vacated} {
			require.True(t, seen[action], "no seed has %s", action)
		}
	}
}

// promises is one run.
type promises struct {
	*testing.T
	random *rand.Rand
	db     *memkv.DB
	space  subspace.Subspace
	now    time.Time
	all    []*promised
	seen   map[election.Action]bool
}

// promised is a process, and until when it was told that it leads.
type promised struct {
	*election.LeaderElection
	me    election.Registration
	skew  time.Duration // of its wall clock
	next  time.Time
	until time.Time
}

func newPromises(t *testing.T, seed uint64, seen map[election.Action]bool) *promises {
	p := &promises{
		T: t, random: rand.New(rand.NewPCG(seed, 7)), db: memkv.New(memkv.Options{}),
		space: subspace.New("promises"), now: time.Unix(1000, 0), seen: seen,
	}
	config := fdbelection.DefaultConfig()
	config.PreemptionGrace = time.Duration(1+p.random.IntN(250)) * 100 * time.Millisecond
	config.MinimumTenure = time.Duration(p.random.IntN(2)) * 10 * time.Second
	config.PreemptDelay = 0
	for i := range 3 {
		clock := election.Clock{Run: uuid.UUID{byte(i + 1)}, Now: func() time.Time { return p.now }}
		q := &promised{
			LeaderElection: election.New(p.space, election.WithClock(clock)), next: p.now,
			me: election.Registration{
				Identity: election.Identity{ID: string(rune('a' + i)), Incarnation: uuid.UUID{byte(i + 1)}},
				Priority: p.random.Int32N(3),
			},
			skew: time.Duration(p.random.IntN(100)-50) * time.Hour,
		}
		p.all = append(p.all, q)
		require.NoError(t, p.do(func(tr kv.Transaction) error {
			if _, err := q.InitializeWithConfig(tr, config); err != nil {
				return err
			}
			return q.RegisterCandidate(tr, q.me, p.now.Add(q.skew))
		}))
	}
	return p
}

func (p *promises) do(fn func(tr kv.Transaction) error) error {
	return p.db.Transact(context.Background(), fn)
}

func (p *promises) run() {
	for range 300 {
		q := p.all[0]
		for _, other := range p.all {
			if other.next.Before(q.next) {
				q = other
			}
		}
		p.now = q.next
		q.next = p.now.Add(3*time.Second + time.Duration(p.random.IntN(200))*time.Millisecond)
		if p.random.IntN(20) == 0 {
			q.next = p.now.Add(time.Duration(p.random.IntN(25)) * time.Second) // it comes late
		}
		p.cycle(q)
		p.disturb(q)
	}
}

var errGivenUp = errors.New("the transaction is given up")

// cycle runs a cycle of a process, or a claim between two cycles, and checks what it
// is told.
func (p *promises) cycle(q *promised) {
	var opts []election.CycleOption
	if !p.now.Before(q.until) && p.random.IntN(3) == 0 {
		opts = append(opts, election.WorkEnded())
	}
	claims, givesUp := p.random.IntN(6) == 0, p.random.IntN(15) == 0
	var result election.CycleResult
	err := p.do(func(tr kv.Transaction) (err error) {
		if claims {
			result, err = q.TryClaimLeadership(tr, q.me.Identity, p.now.Add(q.skew))
		} else {
			result, err = q.RunElectionCycle(tr, q.me, p.now.Add(q.skew), opts...)
		}
		if err == nil && givesUp {
			return errGivenUp
		}
		return err
	})
	if errors.Is(err, errGivenUp) {
		return
	}
	require.NoError(p, err)
	p.seen[result.Action] = true
	if result.Action == election.HandedOver || result.Action == election.Vacated {
		require.False(p, p.now.Before(q.until), "%s gives up at %v, and was told that it leads until %v", q.me.ID, p.now, q.until)
	}
	if until := result.ValidUntil.Add(-q.skew); !result.ValidUntil.IsZero() && until.After(q.until) {
		q.until = until
	}
	for _, other := range p.all {
		both := other != q && p.now.Before(other.until) && p.now.Before(q.until)
		require.False(p, both, "%s leads until %v, and %s until %v", other.me.ID, other.until, q.me.ID, q.until)
	}
}

// disturb has an operator ask for something, or removes the leader record.
func (p *promises) disturb(q *promised) {
	nonce := uuid.UUID{9, byte(p.random.IntN(256)), byte(p.random.IntN(256)), byte(p.random.IntN(256))}
	to := p.all[p.random.IntN(len(p.all))].me.ID
	choice := p.random.IntN(100)
	_ = p.do(func(tr kv.Transaction) error { // it is refused now and then
		state, err := q.ReadStatus(tr)
		switch {
		case err != nil:
			return err
		case choice < 2:
			return q.RequestResign(tr, state.Leader.Term, nonce)
		case choice < 4:
			return q.RequestTransfer(tr, state.Leader.Term, to, nonce)
		case choice < 6:
			tr.Clear(p.space.Sub("leader").Bytes())
		}
		return nil
	})
}
