package simulation

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// everyAct is every operation by every actor that may call it.
func (p *pairs) everyAct() []act {
	var all []act
	for _, name := range []string{"h", "c", "v", "h'", "c'", "v'"} {
		me := p.actors[name].me
		all = append(all, p.candidateActs(name, me)...)
		if me.Identity == p.token.Identity {
			all = append(all, p.tenureActs(name, p.token)...)
		}
		if me.Identity == p.before.Identity && p.before != p.token {
			all = append(all, p.tenureActs(name, p.before)...)
		}
	}
	return append(all, p.operatorActs()...)
}

// candidateActs are those of a candidate that need no tenure.
func (p *pairs) candidateActs(name string, me election.Registration) []act {
	e := p.election
	raised, lowered, observer := me, me, me
	raised.Priority, lowered.Priority, observer.Role = 9, -1, election.Observer
	one := func(what string, do func(tr kv.Transaction) error) act { return act{name: what, actor: name, do: do} }
	register := func(what string, me election.Registration) act {
		return one(what, func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, p.wall()) })
	}
	heartbeat := func(what string, me election.Registration) act {
		return one(what, func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, me, p.wall()) })
	}
	cycle := func(what string, me election.Registration, opts ...election.CycleOption) act {
		return one(what, func(tr kv.Transaction) error {
			_, err := e.RunElectionCycle(tr, me, p.wall(), p.observed(opts...)...)
			return err
		})
	}
	claim := func(what string, opts ...election.CycleOption) act {
		return one(what, func(tr kv.Transaction) error {
			_, err := e.TryClaimLeadership(tr, me.Identity, p.wall(), p.observed(opts...)...)
			return err
		})
	}
	return []act{
		register("register", me), register("register as an observer", observer),
		one("rejoin", func(tr kv.Transaction) error { return e.RejoinCandidate(tr, me, p.wall()) }),
		heartbeat("heartbeat", me), heartbeat("heartbeat with a higher priority", raised),
		heartbeat("heartbeat with a lower priority", lowered), heartbeat("heartbeat as an observer", observer),
		one("unregister", func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, me.Identity, p.wall()) }),
		claim("claim"), claim("claim anew", election.EndedTerm(p.token.Term)), claim("claim, abstaining", election.Abstain()),
		cycle("cycle", me), cycle("cycle with a higher priority", raised), cycle("cycle with a lower priority", lowered),
		cycle("cycle as an observer", observer), cycle("cycle, abstaining", me, election.Abstain()),
		cycle("cycle, claiming anew", me, election.EndedTerm(p.token.Term)),
	}
}

// tenureActs are those of the process that has, or had, a tenure.
func (p *pairs) tenureActs(name string, token election.Token) []act {
	e := p.election
	one := func(what string, do func(tr kv.Transaction) error) act { return act{name: what, actor: name, do: do} }
	all := []act{
		one("refresh", func(tr kv.Transaction) error {
			_, err := e.RefreshLease(tr, token, p.wall())
			return err
		}),
		one("resign", func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, p.wall()) }),
		one("fenced write", func(tr kv.Transaction) error {
			err := e.RequireLeadership(tr, token)
			tr.Set(p.fencedKey, fencedValue(token))
			return err
		}),
	}
	for i, to := range []string{"h", "c", "v"} {
		if to == token.ID {
			continue
		}
		nonce := uuid.UUID{7, byte(i), token.ID[0]}
		p.handovers[nonce] = to
		all = append(all, one("transfer to "+to, func(tr kv.Transaction) error {
			_, err := e.TransferLeadership(tr, token, to, nonce, p.wall())
			return err
		}))
	}
	if p.intent.Kind == election.PreemptionRequest || p.intent.Kind == election.TransferRequest {
		all = append(all, one("yield", func(tr kv.Transaction) error {
			_, _, err := e.HandOver(tr, token, p.intent, p.wall(), p.observed()...)
			return err
		}))
	}
	return all
}

// operatorActs are those of an operator.
func (p *pairs) operatorActs() []act {
	e := p.election
	one := func(what string, do func(tr kv.Transaction) error) act {
		return act{name: what, actor: "operator", do: do}
	}
	configure := func(what string, change func(c *fdbelection.Config)) act {
		return one("config: "+what, func(tr kv.Transaction) error {
			c, err := e.ReadConfig(tr)
			if err != nil {
				return err
			}
			change(&c)
			_, err = e.WriteConfig(tr, c)
			return err
		})
	}
	resign := uuid.UUID{8, 1}
	term := max(p.state.Leader.Term, 1)
	p.requests[resign] = term
	all := []act{
		one("request to resign", func(tr kv.Transaction) error { return e.RequestResign(tr, term, resign) }),
		one("cancel", func(tr kv.Transaction) error { return e.CancelRequest(tr, p.intent.Nonce) }),
		one("initialize", func(tr kv.Transaction) error {
			_, err := e.InitializeWithConfig(tr, p.config)
			return err
		}),
		one("settle", func(tr kv.Transaction) error {
			_, err := e.Settle(tr)
			return err
		}),
		configure("enabled or not", func(c *fdbelection.Config) { c.ElectionEnabled = !c.ElectionEnabled }),
		configure("preemption or not", func(c *fdbelection.Config) { c.AllowPreemption = !c.AllowPreemption }),
		configure("longer leases", func(c *fdbelection.Config) { c.LeaseDuration += time.Second }),
		{"evict the dead", "janitor", "", func(tr kv.Transaction) error {
			_, err := e.EvictDeadCandidates(tr, p.wall())
			return err
		}},
	}
	for i, id := range []string{"h", "c", "v"} {
		nonce, seen := uuid.UUID{9, byte(i)}, p.candidates[id]
		p.requests[nonce] = term
		all = append(all, one("request a transfer to "+id, func(tr kv.Transaction) error {
			return e.RequestTransfer(tr, term, id, nonce)
		}), one("evict "+id, func(tr kv.Transaction) error {
			_, err := e.EvictUnchanged(tr, []election.Candidate{seen})
			return err
		}))
	}
	return append(all, p.forcedActs()...)
}

// forcedActs are those of an operator that need no consent.
func (p *pairs) forcedActs() []act {
	e := p.election
	depose := func(what string, ballot uint64) act {
		return act{what, "operator", labelDepose, func(tr kv.Transaction) error {
			return e.ForceResign(tr, p.token, ballot, p.wall())
		}}
	}
	all := []act{
		depose("depose", 0), depose("depose at this ballot", p.state.Leader.Ballot),
		{"raise the term", "operator", labelRaise, func(tr kv.Transaction) error {
			_, err := e.RaiseTerm(tr, p.state.Leader.Term+3, p.wall())
			return err
		}},
	}
	for what := range victims {
		all = append(all, act{"delete " + what.String(), "operator", labelDelete, func(tr kv.Transaction) error {
			return p.deletes(tr, what, 0)
		}})
	}
	return all
}

// startingState is where two transactions meet.
type startingState struct {
	name   string
	config fdbelection.Config
	script func(p *pairs)
}

// startingStates are those of an election in which h has priority 0, v 1 and c 2.
func startingStates() []startingState {
	graceful := fdbelection.DefaultConfig()
	graceful.Expiry, graceful.MinimumTenure, graceful.PreemptDelay = fdbelection.ExpiryByClock, 0, 0
	graceful.PreemptionGrace = graceful.LeaseDuration
	atOnce, observed := graceful, graceful
	atOnce.PreemptionGrace = 0
	observed.Expiry = fdbelection.ExpiryByObservation
	lease, timeout := graceful.LeaseDuration, graceful.CandidateTimeout
	both := func(scripts ...func(p *pairs)) func(p *pairs) {
		return func(p *pairs) {
			for _, script := range scripts {
				script(p)
			}
		}
	}
	held := claims("h")
	leaseOver := func(p *pairs) { p.now += lease + 1 }
	leaseEnding := func(p *pairs) { p.now += lease - 1 }
	allDead := func(p *pairs) { p.now += timeout + 1 }
	silent := func(alive ...string) func(p *pairs) { // all but these
		return func(p *pairs) {
			for range 4 {
				p.now += timeout / 3
				for _, name := range alive {
					cycles(name)(p)
				}
			}
		}
	}
	return []startingState{
		{"never led", graceful, func(*pairs) {}},
		{"held", graceful, held},
		{"held, challenged", graceful, both(held, claims("c"))},
		{"held, challenged by the lower one", graceful, both(held, claims("v"))},
		{"held, asked to resign", graceful, both(held, asks(""))},
		{"held, asked to hand over", graceful, both(held, asks("v"))},
		{"handed over by a challenge", graceful, both(held, claims("c"), yields("h"))},
		{"handed over by a request", graceful, both(held, asks("v"), yields("h"))},
		{"vacant after a resignation", graceful, both(held, resigns("h"))},
		{"lease over", graceful, both(held, leaseOver)},
		{"lease over in a nanosecond", graceful, both(held, leaseEnding)},
		{"lease over, challenged", graceful, both(held, claims("c"), leaseOver)},
		{"challenger dead", graceful, both(held, claims("c"), silent("h", "v"))},
		{"target dead", graceful, both(held, asks("v"), silent("h", "c"))},
		{"challenger and holder dead", graceful, both(held, claims("c"), allDead)},
		{"id of the holder taken over", graceful, both(held, claims("c"), registers("h'"))},
		{"id of a voter taken over", graceful, both(held, registers("c'"))},
		{"held, preemption at once", atOnce, held},
		{"held by observation, challenged", observed, both(held, claims("c"))},
		{"lease over in a nanosecond by observation", observed, both(held, leaseEnding)},
		{"lease over by observation", observed, both(held, asks("v"), leaseOver)},
		{"held and disabled", graceful, both(held, claims("c"), disabled)},
		{"leader record deleted", graceful, both(held, deletes(theLeader))},
		{"leader record deleted, lease over", observed, both(held, deletes(theLeader), leaseOver)},
		{"leader record of a vacant seat deleted", graceful, both(held, resigns("h"), deletes(theLeader))},
		{"term record deleted", graceful, both(held, claims("c"), deletes(theTerm))},
		{"config deleted", graceful, both(held, claims("c"), deletes(theConfig))},
		{"candidate deleted", graceful, both(held, claims("c"), deletes(aCandidate))},
		{"rank entry deleted", graceful, both(held, deletes(aRankEntry))},
		{"deleted and begun again", graceful, both(held, claims("c"), deletes(everything), beginsAgain("h", "v"))},
	}
}

func deletes(what victim) func(p *pairs) {
	return func(p *pairs) {
		if p.before == (election.Token{}) && !p.state.Leader.Vacant() {
			p.before = p.state.Leader.Token()
		}
		ctx := memkv.WithLabel(context.Background(), labelDelete)
		err := p.db.NewClient("operator", memkv.ClientOptions{}).Transact(ctx, func(tr kv.Transaction) error {
			return p.deletes(tr, what, 0)
		})
		require.NoError(p.t, err)
	}
}

func beginsAgain(names ...string) func(p *pairs) {
	return func(p *pairs) {
		p.must("operator", func(tr kv.Transaction) error {
			_, err := p.election.InitializeWithConfig(tr, p.config)
			return err
		})
		for _, name := range names {
			registers(name)(p)
		}
	}
}

func claims(name string) func(p *pairs) {
	return func(p *pairs) {
		p.must(name, func(tr kv.Transaction) error {
			_, err := p.election.TryClaimLeadership(tr, p.actors[name].me.Identity, p.wall(), p.scripted()...)
			return err
		})
	}
}

func cycles(name string) func(p *pairs) {
	return func(p *pairs) {
		p.must(name, func(tr kv.Transaction) error {
			_, err := p.election.RunElectionCycle(tr, p.actors[name].me, p.wall(), append(p.scripted(), election.Abstain())...)
			return err
		})
	}
}

// scripted is what a process has seen that only just came: nothing.
func (p *pairs) scripted() []election.CycleOption {
	return []election.CycleOption{election.WithObservation(election.Observation{}, p.local(p.now))}
}

// asks has an operator ask for a resignation, or for a transfer.
func asks(to string) func(p *pairs) {
	return func(p *pairs) {
		nonce, term := uuid.UUID{6}, p.state.Leader.Term
		p.requests[nonce] = term
		p.must("operator", func(tr kv.Transaction) error {
			if to == "" {
				return p.election.RequestResign(tr, term, nonce)
			}
			return p.election.RequestTransfer(tr, term, to, nonce)
		})
	}
}

func yields(name string) func(p *pairs) {
	return func(p *pairs) {
		p.before = p.state.Leader.Token()
		p.must(name, func(tr kv.Transaction) error {
			_, done, err := p.election.HandOver(tr, p.before, p.state.Request, p.wall())
			if err == nil && !done {
				err = fmt.Errorf("not handed over: %s", p.state.Request)
			}
			return err
		})
	}
}

func resigns(name string) func(p *pairs) {
	return func(p *pairs) {
		p.before = p.state.Leader.Token()
		p.must(name, func(tr kv.Transaction) error { return p.election.ResignLeadership(tr, p.before, p.wall()) })
	}
}

func registers(name string) func(p *pairs) {
	return func(p *pairs) {
		p.must(name, func(tr kv.Transaction) error {
			return p.election.RegisterCandidate(tr, p.actors[name].me, p.wall())
		})
	}
}

func disabled(p *pairs) {
	p.must("operator", func(tr kv.Transaction) error {
		c, err := p.election.ReadConfig(tr)
		if err != nil {
			return err
		}
		c.ElectionEnabled = false
		_, err = p.election.WriteConfig(tr, c)
		return err
	})
}
