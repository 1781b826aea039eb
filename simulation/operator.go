package simulation

import (
	"errors"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// This file is what operators do. Each act is a task, so it interleaves with everything
// else.

// bystander returns a process without an elector: an operator or the application.
func (w *world) bystander(name string) *process {
	return w.bystanderOn(&host{column: -1, place: place{id: name}, clocks: w.newClocks(), random: stream(w.opts.Seed, 300)}, name)
}

// bystanderOn returns a bystander on an existing host. No other process has its name.
func (w *world) bystanderOn(h *host, name string) *process {
	p := &process{
		node: node{kernel: &w.kernel, name: name, place: &h.place, application: true, clocks: h.clocks, alive: true}, world: w, host: h,
	}
	p.runner = p
	p.executor.Database = spyDatabase{w, w.db.NewClient(name, memkv.ClientOptions{})}
	w.nodes[name], w.clients[name] = &p.node, p
	return p
}

// operate lets the operator do something, or nothing.
func (w *world) operate() {
	if w.chance(faultRequest) {
		w.count(faultRequest)
		w.request()
	}
	if w.chance(faultReconfigure) {
		w.count(faultReconfigure)
		w.reconfigure()
	}
	if w.chance(faultEvict) {
		w.count(faultEvict)
		w.evict()
	}
	if w.chance(faultDelete) {
		w.count(faultDelete)
		w.deleteRecords()
	}
	if w.chance(faultForce) {
		w.count(faultForce)
		if w.pick(faultForce, 4) == 0 {
			w.raiseTerm()
		} else {
			w.forceResign()
		}
	}
}

// request asks the leader of the current term to resign or to hand over. It may be sent
// late, or be sent again later. It always names this term.
func (w *world) request() {
	nonce, _ := uuid.NewRandomFromReader(w.identities)
	term, era := w.state.Leader.Term, w.deleted.era
	target := w.hosts[w.pick(faultRequest, len(w.hosts))].id
	transfer := w.pick(faultRequest, 2) == 0
	w.requests[nonce] = term
	again := w.pick(faultRequest, 3)
	w.operator.start("operator", func(t *task) {
		for ; again >= 0; again-- {
			if w.pick(faultRequest, 3) == 0 && t.wait(w.span(faultRequest, 3*w.config.LeaseDuration), false) != nil {
				return
			}
			if w.faultFreeSince > 0 {
				return
			}
			if w.state.Leader.Term > term {
				w.situation("request sent late")
			}
			err := w.operator.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
				if w.faultFreeSince > 0 || w.deleted.era != era { // terms have begun again
					return errCancelled
				}
				if transfer {
					return w.election.RequestTransfer(tr, term, target, nonce)
				}
				return w.election.RequestResign(tr, term, nonce)
			})
			if w.tracing {
				w.trace(nil, "operator: request in term %d (transfer: %v, to %s): %v", term, transfer, target, err)
			}
		}
	})
}

// forceResign forces the current leader to resign. In half of the cases it names the
// ballot too, and does nothing if the leader has renewed meanwhile.
func (w *world) forceResign() {
	token, ballot := w.state.Leader.Token(), w.state.Leader.Ballot*uint64(w.pick(faultForce, 2))
	w.operator.start(labelForceResign, func(t *task) {
		err := w.forced(t, func(tr kv.Transaction) error {
			return w.election.ForceResign(tr, token, ballot, w.operator.now().Wall)
		})
		if errors.Is(err, fdbelection.ErrLeaderRenewed) {
			w.situation("forced resignation refused after a renewal")
		}
		if w.tracing {
			w.trace(nil, "operator: force %s to resign in term %d: %v", token.Identity, token.Term, err)
		}
	})
}

// raiseTerm raises the term to a floor around the current term.
func (w *world) raiseTerm() {
	floor := max(w.state.Leader.Term+uint64(w.pick(faultForce, 6)), 3) - 2
	w.operator.start(raiseLabel(floor), func(t *task) {
		err := w.forced(t, func(tr kv.Transaction) error {
			_, err := w.election.RaiseTerm(tr, floor, w.operator.now().Wall)
			return err
		})
		if w.tracing {
			w.trace(nil, "operator: raise the term to %d: %v", floor, err)
		}
	})
}

// forced runs a forced act of the operator, perhaps late. It is not for an election that
// replaces a deleted one, nor for the fault-free period.
func (w *world) forced(t *task, act func(tr kv.Transaction) error) error {
	era := w.deleted.era
	if w.pick(faultForce, 3) == 0 {
		if err := t.wait(w.span(faultForce, 2*w.config.LeaseDuration), false); err != nil {
			return err
		}
	}
	return w.operator.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
		if w.faultFreeSince > 0 || w.deleted.era != era {
			return errCancelled
		}
		return act(tr)
	})
}

// reconfigure changes the config.
func (w *world) reconfigure() {
	choice, k := w.pick(faultReconfigure, 4), []int{1, 2, 10}[w.pick(faultReconfigure, 3)]
	w.operator.start("operator", func(t *task) {
		change := func(c fdbelection.Config) fdbelection.Config {
			switch {
			case choice == 0:
				c.ElectionEnabled = !c.ElectionEnabled
			case choice == 1:
				c.AllowPreemption = !c.AllowPreemption
			case w.short:
				enabled, preempt := c.ElectionEnabled, c.AllowPreemption
				c = scaledConfig(w.shape.config, k)
				c.ElectionEnabled, c.AllowPreemption = enabled, preempt
			}
			return c
		}
		w.writeConfig(t, change)
		if choice == 0 { // only for a while
			_ = t.wait(w.span(faultReconfigure, 3*w.config.LeaseDuration), false)
			w.writeConfig(t, func(c fdbelection.Config) fdbelection.Config {
				c.ElectionEnabled = true
				return c
			})
		}
	})
}

// writeConfig changes the stored config, and retries until it has.
func (w *world) writeConfig(t *task, change func(fdbelection.Config) fdbelection.Config) {
	if w.faultFreeSince > 0 {
		return
	}
	nonce, _ := uuid.NewRandomFromReader(w.identities)
	err := w.operator.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
		config, err := w.election.ReadConfig(tr)
		if err != nil || w.faultFreeSince > 0 {
			return err
		}
		if config.Nonce == nonce {
			return nil // an earlier attempt has done it
		}
		config = change(config)
		config.Nonce = nonce
		_, err = w.election.WriteConfig(tr, config)
		return err
	})
	if w.tracing {
		w.trace(nil, "operator: config: %v", err)
	}
}

// evict removes a candidate, alive or not, whose record is unchanged since the operator
// read it.
func (w *world) evict() {
	target := w.hosts[w.pick(faultEvict, len(w.hosts))].id
	w.operator.start("operator evicts", func(t *task) {
		var seen election.Candidate
		err := w.operator.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) (err error) {
			seen, err = w.election.GetCandidate(tr, target)
			return err
		})
		if err != nil || t.wait(w.span(faultEvict, w.config.CandidateTimeout/3), false) != nil || w.faultFreeSince > 0 {
			return
		}
		_ = w.operator.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
			_, err := w.election.EvictUnchanged(tr, []election.Candidate{seen})
			return err
		})
	})
}
