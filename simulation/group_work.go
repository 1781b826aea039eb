package simulation

import (
	"strconv"
	"time"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// lead begins the work on a shard: fenced writes. It ends some time after it was told to stop.
func (p *groupProcess) lead(token group.Token) {
	w := p.world
	w.checkLead(p, token)
	r := &run{token: token}
	p.runs[token.Shard] = r
	w.tenures++
	if w.chance(faultWorkIgnoresStop) {
		w.count(faultWorkIgnoresStop)
		r.ignores = 1 + w.pick(faultWorkIgnoresStop, 16)
	}
	r.task = p.start(p.name+"/work", func(task *task) { p.runWork(task, r) })
}

// runWork is one run of the work on a shard.
func (p *groupProcess) runWork(task *task, r *run) {
	w := p.world
	var failure error
	for ended := false; !ended && (!r.drained || r.ignores > 0) && !task.killed; {
		_ = task.wait(p.randomBelow(w.lease/8), true)
		if r.drained {
			r.ignores--
		}
		if task.killed || r.drained && r.ignores <= 0 {
			break
		}
		w.fencedWrite(task, p.executor.Database, r.token)
		if ended = !task.killed && !r.drained && w.chance(faultWorkEnds); ended {
			w.count(faultWorkEnds)
			if w.pick(faultWorkEnds, 2) == 0 {
				failure = errWork
			}
		}
	}
	_ = task.wait(p.randomBelow(w.lease/20), true)
	if task.killed || !p.alive {
		return
	}
	if w.tracing {
		w.traceOf(p.name, "the work on %s has returned", r.token)
	}
	delete(p.runs, r.token.Shard)
	w.writeStale(p, r.token)
	p.step(membership.WorkReturned{Shard: r.token.Shard, Term: r.token.Term, Err: failure})
}

// randomBelow draws a duration below limit, from the stream of the work.
func (p *groupProcess) randomBelow(limit time.Duration) time.Duration {
	return time.Duration(p.host.random.Int64N(int64(max(limit, 1))))
}

// writeStale makes another program write with an old token, now or later.
func (w *groupWorld) writeStale(p *groupProcess, token group.Token) {
	if w.faultFreeSince > 0 || p.host.random.IntN(3) > 0 {
		return
	}
	w.after(p.randomBelow(2*w.lease), func() {
		if w.faultFreeSince == 0 {
			w.operator.start("stale", func(t *task) { w.fencedWrite(t, w.database, token) })
		}
	})
}

// fencedWrite makes one fenced write under a token.
func (w *groupWorld) fencedWrite(t *task, db kv.Database, token group.Token) {
	err := db.Transact(t.ctxOf(), func(tr kv.Transaction) error {
		if err := w.group.RequireLeadership(tr, token); err != nil {
			return err
		}
		tr.Set(subspace.AppendString(w.work.Bytes(), token.Shard), fencedBy(token))
		return nil
	})
	if err == nil {
		w.fenced++
	} else if kv.CodeOf(err) == 0 && !t.killed {
		w.situation("fenced write on a shard refused")
	}
}

// fencedBy is the value of a fenced write: the tenure under which it is made.
func fencedBy(token group.Token) []byte {
	return append(strconv.AppendUint(nil, token.Term, 10), token.Nonce[:]...)
}
