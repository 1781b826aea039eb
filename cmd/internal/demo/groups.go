package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/mirror"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

const (
	groupShards = 64
	// groupWork is the time between two writes of the work on a shard.
	groupWork = 250 * time.Millisecond
)

// groupDemo is a database in memory, a group in it, and its members.
type groupDemo struct {
	*printer
	ctx     context.Context
	clock   elector.Clock
	db      kv.Database
	group   *group.Group
	work    subspace.Subspace
	members map[string]*groupMember
	running sync.WaitGroup
	late    *member.Shard // of the member that crashed
}

// groupMember is one member. In production each runs in a process of its own.
type groupMember struct {
	member *member.Member
	stop   func()
	done   chan struct{}
	err    error // the result of Run, valid once done is closed
}

func newGroupDemo(ctx context.Context, c elector.Clock, p *printer) *groupDemo {
	space := subspace.New("demo")
	return &groupDemo{
		printer: p, ctx: ctx, clock: c,
		db: memkv.New(memkv.Options{
			Now:   c.Now,
			Sleep: func(ctx context.Context, d time.Duration) error { return clock.Sleep(ctx, c, d) },
		}),
		group: group.New(space.Sub("group")), work: space.Sub("work"), members: make(map[string]*groupMember),
	}
}

// close ends the members that still run.
func (d *groupDemo) close() {
	for _, m := range d.members {
		m.member.Abandon()
		m.stop()
	}
	d.running.Wait()
}

// create creates the group and its shards.
func (d *groupDemo) create() error {
	names := make([]string, groupShards)
	for i := range names {
		names[i] = fmt.Sprintf("shard-%02d", i)
	}
	return d.db.Transact(d.ctx, func(tr kv.Transaction) error {
		config := group.ConfigWithLease(demoLease)
		config.SettleDelay = demoLease / 6
		if _, err := d.group.Initialize(tr, config); err != nil {
			return err
		}
		_, err := d.group.CreateShards(tr, names, d.clock.Wall())
		return err
	})
}

// join starts a member.
func (d *groupDemo) join(id string) error {
	m, err := member.New(d.db, d.group, member.Options{ID: id, Clock: d.clock})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(d.ctx))
	one := &groupMember{member: m, stop: stop, done: make(chan struct{})}
	d.members[id] = one
	d.running.Go(func() {
		defer close(one.done)
		one.err = m.Run(ctx, d.write)
	})
	return nil
}

// write is the work on a shard: rows, one after the other, each fenced.
func (d *groupDemo) write(ctx context.Context, shard *member.Shard) error {
	for ctx.Err() == nil {
		err := shard.Transact(ctx, func(tr kv.Transaction) error {
			return d.ledgerOf(shard.Name()).add(tr, shard.Token().Token)
		})
		if errors.Is(err, fdbelection.ErrFenced) {
			return err
		}
		_ = clock.Sleep(ctx, d.clock, groupWork) // it ends with ctx
	}
	return nil
}

func (d *groupDemo) ledgerOf(shard string) ledger { return ledger{d.work.Sub(shard)} }

// shares is what the records of the group say at one version.
type shares struct {
	by      map[string]int // shards by member
	free    int
	version int64
	terms   map[string]uint64 // by shard
}

// read reads all records of the group.
func (d *groupDemo) read() (shares, error) {
	page, err := kv.ReadTransact(d.ctx, d.db, func(tr kv.ReadTransaction) (group.Page, error) {
		return d.group.ScanPage(tr, group.Position{}, 10*groupShards)
	})
	if err != nil {
		return shares{}, err
	}
	m := mirror.New(nil)
	m.AddPage(&page)
	s := shares{by: make(map[string]int), version: page.Version, terms: make(map[string]uint64)}
	for _, id := range m.MemberIDs() {
		s.by[id] = 0
	}
	for _, shard := range m.Shards() {
		s.terms[shard.Name] = shard.Term
		if m.Free(shard) {
			s.free++
		} else {
			s.by[shard.Leader.ID]++
		}
	}
	return s, nil
}

// String returns the shares in one line.
func (s shares) String() string {
	parts := make([]string, 0, len(s.by)+1)
	for _, id := range slices.Sorted(maps.Keys(s.by)) {
		parts = append(parts, fmt.Sprintf("%s %d", id, s.by[id]))
	}
	return strings.Join(append(parts, fmt.Sprintf("free %d", s.free)), ", ")
}

// until reads the records until ok accepts them. It returns an error after demoTimeout.
func (d *groupDemo) until(expected string, ok func(shares) bool) (shares, error) {
	deadline := d.clock.Now().Add(demoTimeout)
	for {
		s, err := d.read()
		switch {
		case err != nil || ok(s):
			return s, err
		case d.clock.Now().After(deadline):
			return s, expectedGroup(expected+" within "+demoTimeout.String(), s)
		}
		if err := clock.Sleep(d.ctx, d.clock, demoPoll); err != nil {
			return s, err
		}
	}
}

// evenly accepts shares in which exactly these members lead all shards, evenly.
func evenly(ids ...string) func(shares) bool {
	return func(s shares) bool {
		least, led := groupShards/len(ids), 0
		for _, id := range ids {
			n := s.by[id]
			if n < least || n > least+1 {
				return false
			}
			led += n
		}
		return led == groupShards
	}
}

// moves returns the tenures that began after a version, by the member that leads since.
func (d *groupDemo) moves(after int64) (map[string]int, error) {
	log, err := kv.ReadTransact(d.ctx, d.db, func(tr kv.ReadTransaction) (group.Changes, error) {
		return d.group.ReadLog(tr, after, 10_000)
	})
	moves := make(map[string]int)
	for _, c := range log.Changes {
		if c.Shard != nil && !c.Shard.Vacant() {
			moves[c.Shard.Leader.ID]++
		}
	}
	return moves, err
}

// bars draws the share of each member.
func (d *groupDemo) bars(s shares) {
	for _, id := range slices.Sorted(maps.Keys(s.by)) {
		fmt.Fprintf(d.out, "           %-6s %s %d\n", id, strings.Repeat("█", s.by[id]), s.by[id])
	}
}

func expectedGroup(what string, found any) error {
	return fmt.Errorf("expected %s; found: %v", what, found)
}
