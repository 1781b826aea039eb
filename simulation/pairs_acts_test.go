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
func (p *pairs) everyAct() []pairAct {
	var all []pairAct
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

// candidateActs are the operations of a candidate that need no tenure.
func (p *pairs) candidateActs(name string, me election.Registration) []pairAct {
	e := p.election
	raised, lowered, observer := me, me, me
	raised.Priority, lowered.Priority, observer.Role = 9, -1, election.Observer
	one := func(what string, do func(tr kv.Transaction) error) pairAct {
		return pairAct{name: what, actor: name, do: do}
	}
	register := func(what string, me election.Registration) pairAct {
		return one(what, func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, p.wall()) })
	}
	heartbeat := func(what string, me election.Registration) pairAct {
		return one(what, func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, me, p.wall()) })
	}
	cycle := func(what string, me election.Registration, opts ...election.CycleOption) pairAct {
		return one(what, func(tr kv.Transaction) error {
			_, err := e.RunElectionCycle(tr, me, p.wall(), p.observed(opts...)...)
			return err
		})
	}
	claim := func(what string, opts ...election.CycleOption) pairAct {
		return one(what, func(tr kv.Transaction) error {
			_, err := e.TryClaimLeadership(tr, me.Identity, p.wall(), p.observed(opts...)...)
			return err
		})
	}
	return []pairAct{
		register("register", me), register("register as an observer", observer),
		one("rejoin", func(tr kv.Transaction) error { return e.RejoinCandidate(tr, me, p.wall()) }),
		heartbeat("heartbeat", me), heartbeat("heartbeat with a higher priority", raised),
		heartbeat("heartbeat with a lower priority", lowered), heartbeat("heartbeat as an observer", observer),
		one("unregister", func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, me.Identity, p.wall()) }),
		claim("claim"), claim("reclaim", election.EndedTerm(p.token.Term)), claim("claim, abstaining", election.Abstain()),
		cycle("cycle", me), cycle("cycle with a higher priority", raised), cycle("cycle with a lower priority", lowered),
		cycle("cycle as an observer", observer), cycle("cycle, abstaining", me, election.Abstain()),
		cycle("cycle, reclaiming", me, election.EndedTerm(p.token.Term)),
	}
}

// tenureActs are the operations of the process that has, or had, a tenure.
func (p *pairs) tenureActs(name string, token election.Token) []pairAct {
	e := p.election
	one := func(what string, do func(tr kv.Transaction) error) pairAct {
		return pairAct{name: what, actor: name, do: do}
	}
	all := []pairAct{
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
	if p.request.Kind == election.PreemptionRequest || p.request.Kind == election.TransferRequest {
		all = append(all, one("hand over", func(tr kv.Transaction) error {
			_, _, err := e.HandOver(tr, token, p.request, p.wall(), p.observed()...)
			return err
		}))
	}
	return all
}

// operatorActs are the operations of an operator.
func (p *pairs) operatorActs() []pairAct {
	e := p.election
	one := func(what string, do func(tr kv.Transaction) error) pairAct {
		return pairAct{name: what, actor: "operator", do: do}
	}
	configure := func(what string, change func(c *fdbelection.Config)) pairAct {
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
	all := []pairAct{
		one("request to resign", func(tr kv.Transaction) error { return e.RequestResign(tr, term, resign) }),
		one("cancel", func(tr kv.Transaction) error { return e.CancelRequest(tr, p.request.Nonce) }),
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
		{"evict timed-out candidates", "evictor", "", func(tr kv.Transaction) error {
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

// forcedActs are the operations of an operator that need no consent.
func (p *pairs) forcedActs() []pairAct {
	e := p.election
	forceResign := func(what string, ballot uint64) pairAct {
		return pairAct{what, "operator", labelForceResign, func(tr kv.Transaction) error {
			return e.ForceResign(tr, p.token, ballot, p.wall())
		}}
	}
	all := []pairAct{
		forceResign("force to resign", 0), forceResign("force to resign at this ballot", p.state.Leader.Ballot),
	}
	for _, by := range []uint64{3, 6} {
		floor := p.state.Leader.Term + by
		all = append(all, pairAct{fmt.Sprintf("raise the term by %d", by), "operator", raiseLabel(floor), func(tr kv.Transaction) error {
			_, err := e.RaiseTerm(tr, floor, p.wall())
			return err
		}})
	}
	for what := range victims {
		all = append(all, pairAct{"delete " + what.String(), "operator", labelDelete, func(tr kv.Transaction) error {
			return p.deleteVictim(tr, what, 0)
		}})
	}
	return all
}

// startingState is a state in which two transactions meet.
type startingState struct {
	name   string
	config fdbelection.Config
	script func(p *pairs)
}

// startingStates are states of an election in which h has priority 0, v 1 and c 2.
func startingStates() []startingState {
	graceful := fdbelection.DefaultConfig()
	graceful.Expiry, graceful.MinimumTenure, graceful.PreemptDelay = fdbelection.ExpiryByClock, 0, 0
	graceful.PreemptionGrace = graceful.LeaseDuration
	atOnce, observed := graceful, graceful
	atOnce.PreemptionGrace = 0
	observed.Expiry = fdbelection.ExpiryByObservation
	lease, timeout := graceful.LeaseDuration, graceful.CandidateTimeout
	held := claims("h")
	leaseExpired := func(p *pairs) { p.now += lease + 1 }
	leaseExpiring := func(p *pairs) { p.now += lease - 1 }
	allTimedOut := func(p *pairs) { p.now += timeout + 1 }
	onlyAlive := func(alive ...string) func(p *pairs) { // all others have no heartbeats
		return func(p *pairs) {
			for range 4 {
				p.now += timeout / 3
				for _, name := range alive {
					cycles(name)(p)
				}
			}
		}
	}
	states := []startingState{
		{"never led", graceful, func(*pairs) {}},
		{"held", graceful, held},
		{"held, challenged", graceful, scripts(held, claims("c"))},
		{"held, challenged by the lower one", graceful, scripts(held, claims("v"))},
		{"held, resign request", graceful, scripts(held, requests(""))},
		{"held, transfer request", graceful, scripts(held, requests("v"))},
		{"handed over by a challenge", graceful, scripts(held, claims("c"), handsOver("h"))},
		{"handed over by a request", graceful, scripts(held, requests("v"), handsOver("h"))},
		{"vacant after a resignation", graceful, scripts(held, resigns("h"))},
		{"lease expired", graceful, scripts(held, leaseExpired)},
		{"lease expires in a nanosecond", graceful, scripts(held, leaseExpiring)},
		{"lease expired, challenged", graceful, scripts(held, claims("c"), leaseExpired)},
		{"challenger timed out", graceful, scripts(held, claims("c"), onlyAlive("h", "v"))},
		{"target timed out", graceful, scripts(held, requests("v"), onlyAlive("h", "c"))},
		{"challenger and holder timed out", graceful, scripts(held, claims("c"), allTimedOut)},
		{"holder replaced under its id", graceful, scripts(held, claims("c"), registers("h'"))},
		{"voter replaced under its id", graceful, scripts(held, registers("c'"))},
		{"held, preemption at once", atOnce, held},
		{"held by observation, challenged", observed, scripts(held, claims("c"))},
		{"lease expires in a nanosecond by observation", observed, scripts(held, leaseExpiring)},
		{"lease expired by observation", observed, scripts(held, requests("v"), leaseExpired)},
		{"held and disabled", graceful, scripts(held, claims("c"), disabled)},
	}
	return append(states, statesAfterDeletions(graceful, observed, leaseExpired)...)
}

// statesAfterDeletions are states in which an operator has deleted a record.
func statesAfterDeletions(graceful, observed fdbelection.Config, leaseExpired func(p *pairs)) []startingState {
	held := claims("h")
	return []startingState{
		{"leader record deleted", graceful, scripts(held, deletes(victimLeader))},
		{"leader record deleted, lease expired", observed, scripts(held, deletes(victimLeader), leaseExpired)},
		{"leader record of a vacant leadership deleted", graceful, scripts(held, resigns("h"), deletes(victimLeader))},
		{"term record deleted", graceful, scripts(held, claims("c"), deletes(victimTerm))},
		{"config deleted", graceful, scripts(held, claims("c"), deletes(victimConfig))},
		{"candidate deleted", graceful, scripts(held, claims("c"), deletes(victimCandidate))},
		{"rank entry deleted", graceful, scripts(held, deletes(victimRank))},
		{"deleted and initialized again", graceful, scripts(held, claims("c"), deletes(victimAll), initializesAgain("h", "v"))},
	}
}

// scripts runs one script after another.
func scripts(all ...func(p *pairs)) func(p *pairs) {
	return func(p *pairs) {
		for _, script := range all {
			script(p)
		}
	}
}

func deletes(what victim) func(p *pairs) {
	return func(p *pairs) {
		if p.before == (election.Token{}) && !p.state.Leader.Vacant() {
			p.before = p.state.Leader.Token()
		}
		ctx := memkv.WithLabel(context.Background(), labelDelete)
		err := p.db.NewClient("operator", memkv.ClientOptions{}).Transact(ctx, func(tr kv.Transaction) error {
			return p.deleteVictim(tr, what, 0)
		})
		require.NoError(p.t, err)
	}
}

func initializesAgain(names ...string) func(p *pairs) {
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

// scripted is the observation of a process that has just started: none.
func (p *pairs) scripted() []election.CycleOption {
	return []election.CycleOption{election.WithObservation(election.Observation{}, p.local(p.now))}
}

// requests lets an operator request a resignation, or a transfer.
func requests(to string) func(p *pairs) {
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

func handsOver(name string) func(p *pairs) {
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
