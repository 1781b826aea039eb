package simulation

import (
	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// What operators do beside the processes of the election. Each of their acts is a
// task, and so is interleaved with everything else.

// bystander is a process without an elector: an operator, or an application.
func (w *World) bystander(name string) *process {
	return w.bystanderOn(&host{lane: -1, id: name, clocks: w.newClocks(), random: stream(w.opts.Seed, 300)}, name)
}

// bystanderOn is a bystander on a host that exists. The name is of this process alone.
func (w *World) bystanderOn(h *host, name string) *process {
	p := &process{world: w, host: h, name: name, application: true, clocks: h.clocks, alive: true}
	p.executor.Database = spyDatabase{w, w.db.NewClient(name, memkv.ClientOptions{})}
	w.clients[name] = p
	return p
}

// steer has an operator do something, or not.
func (w *World) steer() {
	if w.chance(Request) {
		w.count(Request)
		w.request()
	}
	if w.chance(Reconfigure) {
		w.count(Reconfigure)
		w.reconfigure()
	}
	if w.chance(Evict) {
		w.count(Evict)
		w.evict()
	}
	if w.chance(Delete) {
		w.count(Delete)
		w.deleteRecords()
	}
}

// request asks the leader of the term that stands now to resign or to hand over.
// It may be sent late, and may be sent again later: whenever it arrives, it is
// about that term.
func (w *World) request() {
	nonce, _ := uuid.NewRandomFromReader(w.identities)
	term, era := w.state.Leader.Term, w.removed.era
	target := w.hosts[w.pick(Request, len(w.hosts))].id
	transfer := w.pick(Request, 2) == 0
	w.requests[nonce] = term
	again := w.pick(Request, 3)
	w.operator.start("operator", func(t *task) {
		for ; again >= 0; again-- {
			if w.pick(Request, 3) == 0 && t.wait(w.span(Request, 3*w.config.LeaseDuration), false) != nil {
				return
			}
			if w.quiet > 0 {
				return
			}
			if w.state.Leader.Term > term {
				w.situation("request sent late")
			}
			err := w.operator.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
				if w.quiet > 0 || w.removed.era != era { // terms have begun again
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

// reconfigure changes the config.
func (w *World) reconfigure() {
	choice, k := w.pick(Reconfigure, 4), []int{1, 2, 10}[w.pick(Reconfigure, 3)]
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
		if choice == 0 { // not for long
			_ = t.wait(w.span(Reconfigure, 3*w.config.LeaseDuration), false)
			w.writeConfig(t, func(c fdbelection.Config) fdbelection.Config {
				c.ElectionEnabled = true
				return c
			})
		}
	})
}

// writeConfig changes the config that stands, again and again until it has.
func (w *World) writeConfig(t *task, change func(fdbelection.Config) fdbelection.Config) {
	if w.quiet > 0 {
		return
	}
	nonce, _ := uuid.NewRandomFromReader(w.identities)
	err := w.operator.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
		config, err := w.election.ReadConfig(tr)
		if err != nil || w.quiet > 0 {
			return err
		}
		if config.Nonce == nonce {
			return nil // an attempt before this one has done it
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

// evict removes a candidate by force, dead or not, that is as it was some time ago.
func (w *World) evict() {
	target := w.hosts[w.pick(Evict, len(w.hosts))].id
	w.operator.start("operator evicts", func(t *task) {
		var seen election.Candidate
		err := w.operator.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) (err error) {
			seen, err = w.election.GetCandidate(tr, target)
			return err
		})
		if err != nil || t.wait(w.span(Evict, w.config.CandidateTimeout/3), false) != nil || w.quiet > 0 {
			return
		}
		_ = w.operator.executor.Database.Transact(t.ctxOf(), func(tr kv.Transaction) error {
			_, err := w.election.EvictUnchanged(tr, []election.Candidate{seen})
			return err
		})
	})
}
