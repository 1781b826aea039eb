package member

import (
	"context"
	"sync"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/balance"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/membership"
)

// works starts and stops the work on shards. Neither lead nor drain waits.
type works interface {
	lead(shard *Shard)
	// drain is called once for each shard, after its context has ended.
	drain(shard *Shard)
	// wait waits until all work has returned.
	wait()
}

// acquire starts the work on a shard. The caller holds s.mu.
func (s *session) acquire(token group.Token) {
	c := s.contexts.Load()
	shard := &Shard{token: token, session: s, ctx: newShardContext(c.lead), lease: newShardContext(c.lease)}
	s.shards[token.Shard] = shard
	s.member.counts.acquired.Add(1)
	s.log().Debug("leads", "shard", safe(token.Shard), "term", token.Term)
	s.works.lead(shard)
}

// drain tells the work on a shard to stop. The caller holds s.mu.
func (s *session) drain(token group.Token, reason group.Reason) {
	shard := s.shards[token.Shard]
	if shard == nil || shard.token != token {
		return
	}
	s.member.counts.released(reason)
	s.log().Debug("gives up", "shard", safe(token.Shard), "term", token.Term, "reason", reason.String())
	shard.end(reason, false)
	s.works.drain(shard)
}

// expire ends the use of the lease by the work on a shard. The caller holds s.mu.
func (s *session) expire(token group.Token) {
	shard := s.shards[token.Shard]
	if shard == nil || shard.token != token {
		return
	}
	shard.end(group.ReasonLapse, true)
	late := &UnfinishedWorkError{Shard: token.Shard, Term: token.Term, Since: s.clock.Wall()}
	s.clock.AfterFunc(max(s.member.options.DrainLimit, clock.MinDelay), func() { s.reportLate(shard, late) })
}

// reportLate reports work that has not returned.
func (s *session) reportLate(shard *Shard, late *UnfinishedWorkError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shards[shard.Name()] == shard {
		s.log().Warn("work may still run after its lease", "shard", safe(shard.Name()), "term", shard.Term())
		s.member.errs.Report(late)
	}
}

// returned handles that the work on a shard has returned.
func (s *session) returned(shard *Shard, err error) {
	stopping := shard.ctx.Err() != nil
	if err != nil && (!stopping || !loop.OnlyStopped(err, context.Cause(shard.ctx))) {
		s.log().Warn("work failed", "shard", safe(shard.Name()), "term", shard.Term(), "stopping", stopping, "error", loop.LineError{Err: err})
		s.member.errs.Report(&WorkError{Shard: shard.Name(), Term: shard.Term(), Err: err, Stopping: stopping})
	}
	if stopping {
		err = nil // it has no other effect
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.shards, shard.Name())
	s.handle(membership.WorkReturned{Shard: shard.Name(), Term: shard.Term(), Err: err})
	shard.end(group.ReasonWork, true)
}

// goroutines run the work of each shard in a goroutine of its own.
type goroutines struct {
	work    Work
	running sync.WaitGroup
}

func (g *goroutines) lead(shard *Shard) {
	g.running.Go(func() { shard.session.returned(shard, g.work(shard.ctx, shard)) })
}

func (g *goroutines) drain(*Shard) {}

func (g *goroutines) wait() { g.running.Wait() }

// lanes call callbacks in a few goroutines, those of one shard always in the same one.
type lanes struct {
	callbacks Callbacks
	lanes     [16]lane
	running   sync.WaitGroup
}

// lane is a queue of calls, and a goroutine while it is not empty.
type lane struct {
	mu      sync.Mutex
	queue   []call
	running bool
	// acquired are the shards whose OnAcquire has returned without an error.
	acquired map[*Shard]bool
}

// call is a call of OnAcquire or OnRelease.
type call struct {
	shard   *Shard
	release bool
}

func newLanes(callbacks Callbacks) *lanes {
	l := &lanes{callbacks: callbacks}
	for i := range l.lanes {
		l.lanes[i].acquired = make(map[*Shard]bool)
	}
	return l
}

func (l *lanes) lead(shard *Shard)  { l.push(call{shard, false}) }
func (l *lanes) drain(shard *Shard) { l.push(call{shard, true}) }
func (l *lanes) wait()              { l.running.Wait() }

func (l *lanes) push(c call) {
	one := &l.lanes[balance.Rank(c.shard.Name())%uint64(len(l.lanes))]
	one.mu.Lock()
	defer one.mu.Unlock()
	one.queue = append(one.queue, c)
	if !one.running {
		one.running = true
		l.running.Go(func() { l.run(one) })
	}
}

// run makes the calls of a lane until there are none.
func (l *lanes) run(one *lane) {
	for {
		one.mu.Lock()
		if len(one.queue) == 0 {
			one.running, one.queue = false, nil
			one.mu.Unlock()
			return
		}
		next := one.queue[0]
		one.queue = one.queue[1:]
		one.mu.Unlock()
		l.call(one, next)
	}
}

// call makes one call. Only the goroutine of the lane uses acquired.
func (l *lanes) call(one *lane, c call) {
	switch {
	case !c.release:
		var err error
		if l.callbacks.OnAcquire != nil {
			err = l.callbacks.OnAcquire(c.shard)
		}
		if err == nil {
			one.acquired[c.shard] = true
			return
		}
		c.shard.session.returned(c.shard, err)
	case one.acquired[c.shard]:
		delete(one.acquired, c.shard)
		if l.callbacks.OnRelease != nil {
			l.callbacks.OnRelease(c.shard)
		}
		c.shard.session.returned(c.shard, nil)
	}
}
