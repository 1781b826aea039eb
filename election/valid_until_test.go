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
	validFirst = flag.Uint64("valid.seed", 1, "the first seed of TestValidUntil")
	validSeeds = flag.Uint64("valid.seeds", 100, "how many seeds TestValidUntil runs")
)

// TestValidUntil runs a few processes that call RunElectionCycle and keep nothing between two
// cycles. Some cycles come late, some transactions do not commit, operators write requests,
// and leader records are removed. Until the ValidUntil of a process, no other process leads,
// and the process does not hand over or resign.
func TestValidUntil(t *testing.T) {
	seen := map[election.Action]bool{}
	for seed := *validFirst; seed < *validFirst+*validSeeds; seed++ {
		ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Logf("replay: go test ./election -run TestValidUntil -valid.seed=%d -valid.seeds=1", seed)
			newValidity(t, seed, seen).run()
		})
		if !ok {
			return
		}
	}
	if *validSeeds >= 100 {
		for _, action := range []election.Action{election.Claimed, election.Renewed, election.RequestedPreemption, election.HandedOver, election.Vacated} {
			require.True(t, seen[action], "no seed has %s", action)
		}
	}
}

// validity is one run.
type validity struct {
	*testing.T
	random *rand.Rand
	db     *memkv.DB
	space  subspace.Subspace
	now    time.Time
	all    []*validProcess
	seen   map[election.Action]bool
}

// validProcess is a process and its latest ValidUntil.
type validProcess struct {
	*election.LeaderElection
	me    election.Registration
	skew  time.Duration // of its wall clock
	next  time.Time
	until time.Time
}

func newValidity(t *testing.T, seed uint64, seen map[election.Action]bool) *validity {
	p := &validity{
		T: t, random: rand.New(rand.NewPCG(seed, 7)), db: memkv.New(memkv.Options{}),
		space: subspace.New("validity"), now: time.Unix(1000, 0), seen: seen,
	}
	config := fdbelection.DefaultConfig()
	config.PreemptionGrace = time.Duration(1+p.random.IntN(250)) * 100 * time.Millisecond
	config.MinimumTenure = time.Duration(p.random.IntN(2)) * 10 * time.Second
	config.PreemptDelay = 0
	for i := range 3 {
		clock := election.Clock{Run: uuid.UUID{byte(i + 1)}, Now: func() time.Time { return p.now }}
		q := &validProcess{
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

func (p *validity) do(fn func(tr kv.Transaction) error) error {
	return p.db.Transact(context.Background(), fn)
}

func (p *validity) run() {
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
			q.next = p.now.Add(time.Duration(p.random.IntN(25)) * time.Second) // a late cycle
		}
		p.cycle(q)
		p.disturb(q)
	}
}

var errAborted = errors.New("the transaction is aborted")

// cycle runs a cycle of a process, or a claim between two cycles, and checks the result.
func (p *validity) cycle(q *validProcess) {
	var opts []election.CycleOption
	if !p.now.Before(q.until) && p.random.IntN(3) == 0 {
		opts = append(opts, election.WorkEnded())
	}
	claims, aborts := p.random.IntN(6) == 0, p.random.IntN(15) == 0
	var result election.CycleResult
	err := p.do(func(tr kv.Transaction) (err error) {
		if claims {
			result, err = q.TryClaimLeadership(tr, q.me.Identity, p.now.Add(q.skew))
		} else {
			result, err = q.RunElectionCycle(tr, q.me, p.now.Add(q.skew), opts...)
		}
		if err == nil && aborts {
			return errAborted
		}
		return err
	})
	if errors.Is(err, errAborted) {
		return
	}
	require.NoError(p, err)
	p.seen[result.Action] = true
	if result.Action == election.HandedOver || result.Action == election.Vacated {
		require.False(p, p.now.Before(q.until), "%s gives up leadership at %v, before its ValidUntil %v", q.me.ID, p.now, q.until)
	}
	if until := result.ValidUntil.Add(-q.skew); !result.ValidUntil.IsZero() && until.After(q.until) {
		q.until = until
	}
	for _, other := range p.all {
		both := other != q && p.now.Before(other.until) && p.now.Before(q.until)
		require.False(p, both, "%s leads until %v, and %s until %v", other.me.ID, other.until, q.me.ID, q.until)
	}
}

// disturb writes a request of an operator, or removes the leader record.
func (p *validity) disturb(q *validProcess) {
	nonce := uuid.UUID{9, byte(p.random.IntN(256)), byte(p.random.IntN(256)), byte(p.random.IntN(256))}
	to := p.all[p.random.IntN(len(p.all))].me.ID
	choice := p.random.IntN(100)
	_ = p.do(func(tr kv.Transaction) error { // it may be refused
		status, err := q.ReadStatus(tr)
		switch {
		case err != nil:
			return err
		case choice < 2:
			return q.RequestResign(tr, status.Leader.Term, nonce)
		case choice < 4:
			return q.RequestTransfer(tr, status.Leader.Term, to, nonce)
		case choice < 6:
			tr.Clear(p.space.Sub("leader").Bytes())
		}
		return nil
	})
}
