// Package membertest runs the members of a group in processes of their own, on any engine: they
// start, are killed, join and leave. It is for tests.
package membertest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

const (
	lease    = 6 * time.Second
	patience = 2 * time.Minute
	// written is the part of the shards whose work writes a row: one of so many.
	written = 50
)

// place is where the test is in a database.
type place struct {
	group *group.Group
	rows  subspace.Subspace // the term in which each shard was led last
}

func placeAt(space subspace.Subspace) place {
	return place{group.New(space.Sub("group")), space.Sub("rows")}
}

// Work is what a process does: it is a member until ctx ends. Its work writes the term of the shard
// under the fence, for some of the shards. It fails if the row has this term already, or a later one.
func Work(ctx context.Context, db kv.Database, space subspace.Subspace, id string) error {
	at := placeAt(space)
	m, err := member.New(db, at.group, member.Options{ID: id, LeaveLimit: patience})
	if err != nil {
		return err
	}
	return m.Run(ctx, func(ctx context.Context, shard *member.Shard) error {
		if n, err := strconv.Atoi(shard.Name()); err == nil && n%written == 0 {
			if err := at.write(ctx, shard); err != nil {
				fmt.Fprintln(os.Stderr, shard.Name(), err)
			}
		}
		<-ctx.Done()
		return nil
	})
}

func (at place) write(ctx context.Context, shard *member.Shard) error {
	key := at.rows.Sub(shard.Name()).Bytes()
	return shard.Transact(ctx, func(tr kv.Transaction) error {
		value, err := tr.Get(key).Get()
		if err != nil {
			return err
		}
		before, _ := strconv.ParseUint(string(value), 10, 64)
		if before > shard.Term() {
			return fmt.Errorf("term %d after term %d", shard.Term(), before)
		}
		tr.Set(key, strconv.AppendUint(nil, shard.Term(), 10))
		return nil
	})
}

// processes are the members of a group, and a router that watches them.
type processes struct {
	t      *testing.T
	shards []string
	spawn  func(id string) *exec.Cmd
	router *member.Member
	at     place
	alive  map[string]*exec.Cmd
	terms  map[string]uint64 // the highest that was seen of each shard
}

// Run starts five processes that lead the shards, kills one, starts two, and stops one in order.
// spawn returns a command that calls Work with an id and ends it at SIGTERM. After each step all
// shards must be led, evenly. It logs how long that took.
func Run(t *testing.T, db kv.Database, space subspace.Subspace, shards int, spawn func(id string) *exec.Cmd) {
	t.Helper()
	p := &processes{t: t, spawn: spawn, at: placeAt(space), alive: map[string]*exec.Cmd{}, terms: map[string]uint64{}}
	p.create(db, shards)
	t.Cleanup(func() {
		for _, c := range p.alive {
			_ = c.Process.Kill() // the test is over
			_ = c.Wait()
		}
	})
	var err error
	p.router, err = member.New(db, p.at.group, member.Options{ID: "router"})
	require.NoError(t, err)
	require.NoError(t, p.router.Observe(t.Context()))
	t.Cleanup(p.router.Abandon)

	p.step("five start", func() {
		for _, id := range []string{"a", "b", "c", "d", "e"} {
			p.start(id)
		}
	})
	p.step("one is killed", func() { p.kill("c") })
	p.step("two start", func() { p.start("c"); p.start("f") })
	p.step("one is stopped", func() { p.stop("a") })
	p.step("one is killed and started at once", func() { p.kill("b"); p.start("b") })
	p.step("all but one are killed", func() {
		for _, id := range []string{"b", "c", "d", "e"} {
			p.kill(id)
		}
	})
	p.requireRows(db)
}

func (p *processes) create(db kv.Database, shards int) {
	config := group.ConfigWithLease(lease)
	config.SettleDelay, config.MaxMoves = time.Second, 500
	for i := range shards {
		p.shards = append(p.shards, strconv.Itoa(i))
	}
	create(p.t, db, p.at.group, config, p.shards)
}

func (p *processes) start(id string) {
	c := p.spawn(id)
	c.Stderr = os.Stderr
	require.NoError(p.t, c.Start())
	p.alive[id] = c
}

func (p *processes) kill(id string) {
	require.NoError(p.t, p.alive[id].Process.Kill())
	_ = p.alive[id].Wait() // it was killed
	delete(p.alive, id)
}

func (p *processes) stop(id string) {
	require.NoError(p.t, p.alive[id].Process.Signal(syscall.SIGTERM))
	require.NoError(p.t, p.alive[id].Wait())
	delete(p.alive, id)
}

// step does something, and waits until all shards are led by the processes that live, evenly.
func (p *processes) step(what string, do func()) {
	p.t.Helper()
	begin := time.Now()
	do()
	loads := map[string]int{}
	led := time.Duration(0) // when all shards were led
	require.Eventually(p.t, func() bool {
		loads = p.loads()
		dead := slices.ContainsFunc(slices.Collect(maps.Keys(loads)), func(id string) bool { return p.alive[id] == nil })
		if dead {
			led = 0
			return false
		}
		if led == 0 {
			led = time.Since(begin)
		}
		counts := slices.Sorted(maps.Values(loads))
		return len(counts) == len(p.alive) && counts[len(counts)-1]-counts[0] <= 1
	}, patience, time.Millisecond, "%s: %v", what, &loads)
	p.t.Logf("%s: all led after %v, evenly after %v", what, led.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond))
}

// loads returns how many shards each member leads. Free shards count for no member.
func (p *processes) loads() map[string]int {
	loads := map[string]int{}
	for _, name := range p.shards {
		leader, ok := p.router.Leader(name)
		if !ok {
			loads["none"]++
			continue
		}
		require.GreaterOrEqual(p.t, leader.Term, p.terms[name], "the term of %s goes back", name)
		p.terms[name] = leader.Term
		loads[leader.ID]++
	}
	return loads
}

// requireRows expects that each row has the term of its shard: no earlier leader wrote later.
func (p *processes) requireRows(db kv.Database) {
	p.t.Helper()
	require.Eventually(p.t, func() bool {
		late, err := kv.ReadTransact(p.t.Context(), db, func(tr kv.ReadTransaction) (late int, err error) {
			for i := 0; i < len(p.shards); i += written {
				value, err := tr.Get(p.at.rows.Sub(p.shards[i]).Bytes()).Get()
				if err != nil {
					return 0, err
				}
				shard, err := p.at.group.ReadShard(tr, p.shards[i])
				if err != nil {
					return 0, err
				}
				if string(value) != strconv.FormatUint(shard.Term, 10) {
					late++
				}
			}
			return late, nil
		})
		return err == nil && late == 0
	}, patience, 10*time.Millisecond)
}
