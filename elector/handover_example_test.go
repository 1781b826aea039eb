package elector_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// A deployment replaces a process by a new one. The new one has an id of its own: here the
// name of the host and the release. The old one hands over to the newest process of the host.
func ExampleElector_StopAndHandOver() {
	ctx := context.Background()
	db := memkv.New(memkv.Options{})
	leads, follows := make(chan string, 2), make(chan string, 2)
	start := func(id string) *elector.Elector {
		el, err := elector.New(db, election.New(subspace.New("billing")), elector.Options{
			NodeID: id,
			Callbacks: elector.Callbacks{StateCallbacks: elector.StateCallbacks{
				OnEnterLeader:   func(_ context.Context, t elector.Transition) { leads <- string(t.Reason) },
				OnEnterFollower: func(context.Context, elector.Transition) { follows <- id },
			}},
		})
		if err != nil {
			log.Fatal(err)
		}
		if err := el.Start(ctx); err != nil {
			log.Fatal(err)
		}
		return el
	}

	old := start("host-1-v41")
	fmt.Println("v41:", <-leads)
	next := start("host-1-v42")
	<-follows
	err := old.StopAndHandOver(ctx, "host-1-*")
	fmt.Println("v42:", <-leads, "-", err)

	err = next.StopAndHandOver(ctx, "host-1-*") // there is no newer process
	fmt.Println("resigned:", errors.Is(err, fdbelection.ErrProcessNotFound))
	// Output:
	// v41: leadership was vacant
	// v42: handed over on request - <nil>
	// resigned: true
}
