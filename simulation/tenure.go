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

// lead begins the work of a tenure: fenced writes and messages to a system outside. It
// ends some time after it was told to stop.
func (p *process) lead(leader election.LeaderRecord) {
	w := p.world
	t := &tenure{token: leader.Token()}
	p.tenure = t
	w.tenures++
	ignores := 0 // how often it continues after it was told to stop
	if w.chance(faultWorkIgnoresStop) {
		w.count(faultWorkIgnoresStop)
		ignores = 1 + w.pick(faultWorkIgnoresStop, 8)
	}
	p.start(p.name+"/work", func(task *task) {
		for !t.drained || ignores > 0 {
			if task.wait(p.randomBelow(w.config.LeaseDuration/2), true) != nil {
				return
			}
			if t.drained {
				if ignores--; ignores < 0 {
					break
				}
			}
			p.work(task, t.token)
			if task.killed {
				return
			}
			if !t.drained && w.chance(faultWorkEnds) {
				w.count(faultWorkEnds)
				var err error
				if w.pick(faultWorkEnds, 2) == 0 {
					err = errWork
				}
				p.step(machine.WorkReturning{Term: t.token.Term, Err: err})
			}
		}
		stop := p.randomBelow(w.config.LeaseDuration / 10)
		if w.chance(faultWorkIgnoresStop) {
			stop = p.randomBelow(3 * w.config.LeaseDuration)
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

// randomBelow draws a duration below limit, from the stream of the work.
func (p *process) randomBelow(limit time.Duration) time.Duration {
	return time.Duration(p.host.random.Int64N(int64(max(limit, 1))))
}

// work makes one fenced write, and sends one message to the system outside.
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

// fencedValue is the value of a fenced write: the tenure under which it is made.
func fencedValue(token election.Token) []byte {
	return append(strconv.AppendUint(nil, token.Term, 10), token.Nonce[:]...)
}

// outsideSystem is a system outside the database. It keeps the highest term that it has
// seen and refuses lower ones. Messages to it are delayed and overtake each other.
type outsideSystem struct {
	highest uint64
	senders map[uint64]election.Token // of accepted messages, by term
}

// send lets a leader send a message under its term. It is a part of invariant 4: no
// process has a token of a term that has not begun.
func (w *world) send(p *process, token election.Token) {
	if newest := w.state.Leader.Term; token.Term > newest && w.state.Leader.Ballot > 0 && w.current(token) {
		w.violated(invFence, "%s sends under term %d, the newest is %d", p.name, token.Term, newest)
	}
	d := p.randomBelow(w.config.LeaseDuration / 10)
	if p.host.random.IntN(16) == 0 {
		d = p.randomBelow(2 * w.config.LeaseDuration)
	}
	w.after(d, func() { w.deliver(token) })
}

// deliver delivers a message, perhaps late. It is a part of invariant 4: under each term
// the system outside accepts the messages of one tenure, and later none of an older one.
func (w *world) deliver(token election.Token) {
	if !w.current(token) {
		w.situation("message of a deleted election")
		return
	}
	if token.Term < w.outside.highest {
		w.situation("message refused outside")
		return
	}
	w.outside.highest = token.Term
	if other, ok := w.outside.senders[token.Term]; ok && other != token {
		w.violated(invFence, "the system outside accepts %s and %s", other, token)
	}
	w.outside.senders[token.Term] = token
}
