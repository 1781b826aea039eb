package simulation

import (
	"strconv"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// tenure is the work of one term in a process.
type tenure struct {
	token    election.Token
	drained  bool
	expired  bool
	returned bool
}

// lead begins the work of a tenure: fenced transactions and messages to a sink
// outside, until some time after it was asked to stop.
func (p *process) lead(leader election.LeaderRecord) {
	w := p.world
	t := &tenure{token: leader.Token()}
	p.tenure = t
	w.tenures++
	deaf := 0 // how often it works on as if it had not been told to stop
	if w.chance(WorkIgnoresStop) {
		w.count(WorkIgnoresStop)
		deaf = 1 + w.pick(WorkIgnoresStop, 8)
	}
	p.start(p.name+"/work", func(task *task) {
		for !t.drained || deaf > 0 {
			if task.wait(p.drawn(w.config.LeaseDuration/2), true) != nil {
				return
			}
			if t.drained {
				if deaf--; deaf < 0 {
					break
				}
			}
			p.work(task, t.token)
			if task.killed {
				return
			}
			if !t.drained && w.chance(WorkEnds) {
				w.count(WorkEnds)
				var err error
				if w.pick(WorkEnds, 2) == 0 {
					err = errWork
				}
				p.step(machine.WorkReturning{Term: t.token.Term, Err: err})
			}
		}
		stop := p.drawn(w.config.LeaseDuration / 10)
		if w.chance(WorkIgnoresStop) {
			stop = p.drawn(3 * w.config.LeaseDuration)
		}
		if task.wait(stop, true) != nil || !p.alive {
			return
		}
		t.returned = true
		if w.tracing {
			w.trace(p, "the work of term %d has returned", t.token.Term)
		}
		p.step(machine.WorkReturned{Term: t.token.Term})
	})
}

// drawn is a duration below most, of the work.
func (p *process) drawn(most time.Duration) time.Duration {
	return time.Duration(p.host.random.Int64N(int64(max(most, 1))))
}

// work commits one fenced write, and sends one message to the sink outside.
func (p *process) work(task *task, token election.Token) {
	w := p.world
	w.send(p, token)
	err := p.executor.Database.Transact(task.ctxOf(), func(tr kv.Transaction) error {
		if err := w.election.RequireLeadership(tr, token); err != nil {
			return err
		}
		tr.Set(w.fencedKey, fencedValue(token))
		return nil
	})
	if err == nil {
		w.fenced++
	} else if kv.CodeOf(err) == 0 && !task.killed {
		w.situation("fenced write refused")
	}
}

// fencedValue is what a fenced write writes: under which tenure.
func fencedValue(token election.Token) []byte {
	return append(strconv.AppendUint(nil, token.Term, 10), token.Nonce[:]...)
}

// sink is a system outside that keeps the highest term it has seen, and refuses
// lower ones. Messages to it are delayed, and overtake each other.
type sink struct {
	highest uint64
	senders map[uint64]election.Token // of accepted messages, by term
}

// send has a leader tell the sink something under its term, some time later. It is
// the part of invariant 4 that is outside the database: nobody has a token of a
// term that has not begun.
func (w *World) send(p *process, token election.Token) {
	if newest := w.state.Leader.Term; token.Term > newest && w.state.Leader.Ballot > 0 && w.current(token) {
		w.violated(Fence, "%s sends under term %d, the newest is %d", p.name, token.Term, newest)
	}
	d := p.drawn(w.config.LeaseDuration / 10)
	if p.host.random.IntN(16) == 0 {
		d = p.drawn(2 * w.config.LeaseDuration)
	}
	w.after(d, func() { w.deliver(token) })
}

// deliver has a message arrive, as late as it may be. It is the rest of that part of
// invariant 4: a receiver that keeps the highest term it has seen accepts the
// messages of one tenure under each term, and nothing of an older one after it.
func (w *World) deliver(token election.Token) {
	if !w.current(token) {
		w.situation("message of a deleted election")
		return
	}
	if token.Term < w.sink.highest {
		w.situation("refused by the sink")
		return
	}
	w.sink.highest = token.Term
	if other, ok := w.sink.senders[token.Term]; ok && other != token {
		w.violated(Fence, "the sink accepts %s and %s", other, token)
	}
	w.sink.senders[token.Term] = token
}
