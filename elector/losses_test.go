package elector_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// losses are the ways in which a tenure ends although its work has not. Each ends the tenure
// of process "a". repair lets the process lead again.
var losses = map[string]func(tc *cluster, p *process, lead *elector.Leadership) (repair func()){
	"not renewed": func(tc *cluster, _ *process, lead *elector.Leadership) func() {
		tc.before(of("a", fail(errDisk)))
		<-lead.LeaseContext().Done()
		return func() { tc.before(nil) }
	},
	"machine suspended": func(_ *cluster, p *process, _ *elector.Leadership) func() {
		p.clock.suspend(2 * lease)
		return func() {}
	},
	"forced resignation": func(tc *cluster, _ *process, _ *elector.Leadership) func() {
		tc.transact(func(tr kv.Transaction) error {
			leader, err := tc.election.GetLeaderRaw(tr)
			if err != nil {
				return err
			}
			return tc.election.ForceResign(tr, leader.Token(), leader.Ballot, time.Now())
		})
		return func() {}
	},
	"records deleted": func(tc *cluster, _ *process, _ *elector.Leadership) func() {
		tc.transact(func(tr kv.Transaction) error {
			begin, end := tc.election.Subspace().Range()
			tr.ClearRange(begin, end)
			return nil
		})
		return func() {}
	},
	"preempted after the grace": func(tc *cluster, _ *process, _ *elector.Leadership) func() {
		return tc.begin("high", priority(1)).stop
	},
	"preempted at once": func(tc *cluster, _ *process, _ *elector.Leadership) func() {
		tc.reconfigure(func(c *fdbelection.Config) { c.PreemptionGrace = 0 })
		return tc.begin("high", priority(1)).stop
	},
	"disabled": func(tc *cluster, _ *process, _ *elector.Leadership) func() {
		tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		return func() { tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = true }) }
	},
	"demoted": func(tc *cluster, p *process, _ *elector.Leadership) func() {
		require.NoError(tc, p.SetRole(election.Observer))
		return func() { require.NoError(tc, p.SetRole(election.Voter)) }
	},
	"asked to resign": func(tc *cluster, _ *process, lead *elector.Leadership) func() {
		tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, lead.Term(), nonce(1)) })
		return func() {}
	},
	"asked to hand over": func(tc *cluster, _ *process, _ *elector.Leadership) func() {
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		require.NoError(tc, tc.transfer("b"))
		return b.stop
	},
}

// eachLoss runs a test for each of losses. "a" has just won a campaign, and lose ends its
// tenure.
func eachLoss(t *testing.T, test func(tc *cluster, name string, p *process, lead *elector.Leadership, lose func() (repair func()))) {
	t.Helper()
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				p := tc.process("a")
				lead, err := p.Campaign(tc.Context())
				require.NoError(tc, err)
				test(tc, name, p, lead, func() func() {
					time.Sleep(heartbeat / 2) // the watches are armed
					return lose(tc, p, lead)
				})
			})
		})
	}
}
