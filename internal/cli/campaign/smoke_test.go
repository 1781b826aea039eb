package campaign_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli/campaign"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

func TestSmoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := memkv.New(memkv.Options{})
		e := election.New(subspace.New("test"))
		config := fdbelection.ConfigWithLease(6 * time.Second)
		config.Expiry = fdbelection.ExpiryByObservation
		config.PreemptionGrace = 6 * time.Second
		t0 := time.Now()
		run := func(id string, prio int32) (crash func(), stop func() error) {
			ctx, cancel := context.WithCancel(t.Context())
			st := make(chan struct{})
			done := make(chan error, 1)
			go func() {
				done <- campaign.Run(ctx, db, e, campaign.Options{
					Me:     election.Registration{Identity: election.Identity{ID: id, Incarnation: uuid.New()}, Priority: prio},
					Config: config, Drain: time.Second, Stop: st,
					Changed: func(c campaign.Change) {
						fmt.Printf("%8s %s: %v leads=%v (%s)\n", c.At.Sub(t0), id, c.Leader, c.Leads, c.Note)
					},
					Trouble: func(err error) { fmt.Printf("%s: trouble %v\n", id, err) },
				})
			}()
			return func() { cancel(); <-done }, func() error { close(st); return <-done }
		}
		crashA, _ := run("a", 1)
		time.Sleep(100 * time.Millisecond)
		_, stopB := run("b", 1)
		_, stopC := run("c", 1)
		time.Sleep(20 * time.Second)
		fmt.Println("crash a")
		crashA()
		time.Sleep(20 * time.Second)
		fmt.Println("d comes", time.Since(t0))
		_, stopD := run("d", 5)
		time.Sleep(20 * time.Second)
		fmt.Println("d leaves", time.Since(t0))
		require.NoError(t, stopD())
		time.Sleep(20 * time.Second)
		fmt.Println("rest leaves", time.Since(t0))
		require.NoError(t, stopB())
		require.NoError(t, stopC())
	})
}
