package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// How often the monitor acts, and from when on the machine counts as stalled.
const (
	monitorInterval = 20 * time.Millisecond
	probeEvery      = 5 // reads
	stallLimit      = 100 * time.Millisecond
)

// monitor writes down the leader record, whether the store takes writes, and when the machine did
// not run it.
type monitor struct {
	db    kv.Database
	diary *diary
	end   context.CancelFunc
	group sync.WaitGroup

	mu sync.Mutex
	id string // of the leader
}

func startMonitor(db kv.Database, d *diary) *monitor {
	ctx, cancel := context.WithCancel(context.Background())
	m := &monitor{db: db, diary: d, end: cancel}
	m.group.Go(func() { m.watch(ctx) })
	m.group.Go(func() { m.watchMachine(ctx) })
	return m
}

func (m *monitor) stop() {
	m.end()
	m.group.Wait()
}

// leader returns the id of the leader that was read last, or "".
func (m *monitor) leader() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.id
}

func (m *monitor) watch(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		m.read(ctx)
		if i%probeEvery == 0 {
			m.probe(ctx)
		}
		_ = wait(ctx, monitorInterval)
	}
}

// read reads the leader record. If that fails or is slow, it counts as a probe.
func (m *monitor) read(ctx context.Context) {
	call := clock.Boot()
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	leader, err := kv.ReadTransact(limited, m.db, theElection.GetLeaderRaw)
	at := clock.Boot()
	if ctx.Err() == nil && (err != nil || at-call > slowProbe) {
		m.diary.write(entry{Kind: probed, Call: call, At: at, Text: fmt.Sprintf("read: %v", err)})
	}
	if err != nil {
		return
	}
	m.diary.write(leaderEntry(call, at, leader))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.id = leader.ID
}

// probe writes a row that is as long as those of the workers.
func (m *monitor) probe(ctx context.Context) {
	e := entry{Kind: probed, Call: clock.Boot()}
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	err := m.db.Transact(limited, func(tr kv.Transaction) error {
		tr.Set(probeKey, append(fmt.Append(nil, e.Call), padding...))
		return nil
	})
	if ctx.Err() != nil {
		return
	}
	if e.At = clock.Boot(); err != nil {
		e.Text = err.Error()
	}
	m.diary.write(e)
}

func (m *monitor) watchMachine(ctx context.Context) {
	last := clock.Boot()
	for wait(ctx, tick) == nil {
		now := clock.Boot()
		if now-last > stallLimit {
			m.diary.write(entry{Kind: stalled, Call: last, At: now})
		}
		last = now
	}
}
