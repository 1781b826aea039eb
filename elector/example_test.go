package elector_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Work that needs leadership. It starts with each tenure and stops when its context ends.
// README.md shows the same.
func ExampleElector_Run() {
	ctx, stop := context.WithCancel(context.Background()) // in a service: signal.NotifyContext
	db := memkv.New(memkv.Options{})
	invoices := make(chan string, 3)
	for _, invoice := range []string{"A-1", "A-2", "A-3"} {
		invoices <- invoice
	}
	chargeNext := func(ctx context.Context, lead *elector.Leadership) error {
		select {
		case invoice := <-invoices:
			fmt.Printf("%s is charged in term %d\n", invoice, lead.Term())
		case <-ctx.Done():
		}
		if len(invoices) == 0 {
			stop()
		}
		return nil
	}

	// begin README
	el, err := elector.New(db, election.New(subspace.New("billing")), elector.Options{})
	if err != nil {
		log.Fatal(err)
	}
	err = el.Run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
		for ctx.Err() == nil { // ends before another process leads
			if err := chargeNext(ctx, lead); err != nil {
				return err // leadership is released, and this process claims none for at least one lease
			}
		}
		return nil // leadership is released now, and not before
	})
	// end README
	fmt.Println("left:", err)
	// Output:
	// A-1 is charged in term 1
	// A-2 is charged in term 1
	// A-3 is charged in term 1
	// left: <nil>
}

// Callbacks switch something on and off with leadership. Each change is reported once and in
// order. Leadership is released after the callbacks that report the loss have returned.
func ExampleElector_Start() {
	ctx := context.Background()
	db := memkv.New(memkv.Options{})
	elected := make(chan struct{})
	// begin callbacks
	el, err := elector.New(db, election.New(subspace.New("billing")), elector.Options{
		NodeID: "host-1",
		Callbacks: elector.Callbacks{
			OnElected: func(_ context.Context, t elector.Transition) {
				fmt.Printf("elected in term %d: %s\n", t.Term, t.Reason)
				close(elected)
			},
			OnDemoted: func(_ context.Context, t elector.Transition) {
				fmt.Printf("demoted in term %d: %s\n", t.Term, t.Reason)
			},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := el.Start(ctx); err != nil { // returns at once
		log.Fatal(err)
	}
	// end callbacks

	<-elected
	fmt.Println("stop:", el.Stop(ctx))
	// Output:
	// elected in term 1: leadership was vacant
	// demoted in term 1: stopped
	// stop: <nil>
}

// A process that only follows who leads, and at which address, without being a candidate.
func ExampleElector_Subscribe() {
	ctx, cancel := context.WithCancel(context.Background())
	db := memkv.New(memkv.Options{})
	space := subspace.New("billing")
	lead := func(id, address string) *elector.Elector {
		el, err := elector.New(db, election.New(space), elector.Options{
			NodeID:   id,
			Metadata: map[string]string{"address": address},
		})
		if err != nil {
			log.Fatal(err)
		}
		if err := el.Start(ctx); err != nil { // it leaves when ctx ends
			log.Fatal(err)
		}
		return el
	}

	first := lead("host-1", "10.0.0.1:8080")
	connect := func(address string) {
		fmt.Println("connects to", address)
		if address == "10.0.0.2:8080" {
			cancel() // the example ends here
			return
		}
		lead("host-2", "10.0.0.2:8080")
		if err := first.Stop(ctx); err != nil {
			log.Fatal(err)
		}
	}

	// begin observe
	el, err := elector.New(db, election.New(space), elector.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for leader := range el.Subscribe(ctx) { // the present leader first, then every change
		if leader.Vacant() || !leader.Accepted {
			continue // there is no leader
		}
		fmt.Printf("%s leads in term %d\n", leader.ID, leader.Term)
		connect(leader.Metadata["address"])
	}
	// end observe

	// Output:
	// host-1 leads in term 1
	// connects to 10.0.0.1:8080
	// host-2 leads in term 2
	// connects to 10.0.0.2:8080
}

// A piece of code that waits for leadership and resigns when its work is done.
func ExampleElector_Campaign() {
	ctx := context.Background()
	db := memkv.New(memkv.Options{})
	el, err := elector.New(db, election.New(subspace.New("migrations")), elector.Options{})
	if err != nil {
		log.Fatal(err)
	}
	// begin campaign
	lead, err := el.Campaign(ctx) // waits, and retries every failure of the database
	if err != nil {
		log.Fatal(err)
	}
	for step := 1; step <= 2 && lead.Context().Err() == nil; step++ {
		fmt.Printf("step %d in term %d\n", step, lead.Term())
	}
	if err := lead.Resign(ctx); err != nil { // leadership is released here, and not before
		log.Fatal(err)
	}
	// end campaign
	fmt.Println("leads:", lead.Leads())
	fmt.Println("stop:", el.Stop(ctx)) // unregisters the candidate
	// Output:
	// step 1 in term 1
	// step 2 in term 1
	// leads: false
	// stop: <nil>
}

// A write that commits only while its tenure is the newest one. This does not depend on
// clocks, because the fence is a part of the transaction.
func ExampleLeadership_Transact() {
	ctx := context.Background()
	db := memkv.New(memkv.Options{})
	el, err := elector.New(db, election.New(subspace.New("billing", "election")), elector.Options{})
	if err != nil {
		log.Fatal(err)
	}

	// begin fence
	pay := func(lead *elector.Leadership, amount string) error {
		return lead.Transact(ctx, func(tr kv.Transaction) error {
			tr.Set([]byte("balance"), []byte(amount))
			return nil
		})
	}
	// end fence

	former, err := el.Campaign(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("while it leads:", pay(former, "100"))
	if err := former.Resign(ctx); err != nil {
		log.Fatal(err)
	}
	err = pay(former, "200")
	fmt.Println("fenced:", errors.Is(err, fdbelection.ErrFenced))
	fmt.Println("stop:", el.Stop(ctx))
	// Output:
	// while it leads: <nil>
	// fenced: true
	// stop: <nil>
}

// A higher priority takes over in order. The context of the leader ends, the leader finishes
// what it has started while its lease is still renewed, and the challenger leads when the
// work has returned.
func Example_gracefulPreemption() {
	ctx, stop := context.WithCancel(context.Background())
	db := memkv.New(memkv.Options{})
	space := subspace.New("billing")

	// The grace is one lease by default: the time in which a leader has to finish.
	config := fdbelection.DefaultConfig()
	config.PreemptDelay, config.MinimumTenure = 0, 0 // otherwise the challenger waits first
	low, err := elector.New(db, election.New(space), elector.Options{NodeID: "low", Priority: 1, Config: config})
	if err != nil {
		log.Fatal(err)
	}
	elected, finished := make(chan struct{}), make(chan error)
	high, err := elector.New(db, election.New(space), elector.Options{
		NodeID: "high", Priority: 2,
		Callbacks: elector.Callbacks{OnElected: func(_ context.Context, t elector.Transition) {
			fmt.Printf("high leads in term %d: %s\n", t.Term, t.Reason)
			close(elected)
		}},
	})
	if err != nil {
		log.Fatal(err)
	}

	go func() {
		finished <- low.Run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
			fmt.Println("low leads in term", lead.Term())
			if err := high.Start(context.Background()); err != nil {
				return err
			}
			<-ctx.Done()
			fmt.Println("low:", context.Cause(ctx))
			err := lead.Transact(lead.LeaseContext(), func(tr kv.Transaction) error {
				tr.Set([]byte("checkpoint"), []byte("41"))
				return nil
			})
			fmt.Println("low finishes its work:", err)
			return nil // high leads now, and not before
		})
	}()
	<-elected
	stop()
	fmt.Println("low has left:", <-finished)
	fmt.Println("high stops:", high.Stop(context.Background()))
	// Output:
	// low leads in term 1
	// low: leadership of term 1 has ended: challenged by a higher priority
	// low finishes its work: <nil>
	// high leads in term 2: preempted a lower priority
	// low has left: <nil>
	// high stops: <nil>
}

// A scheduler asks before each job whether this process leads. That does no I/O. For gocron,
// pass the elector itself: it has gocron's IsLeader.
func ExampleElector_Leading() {
	ctx := context.Background()
	db := memkv.New(memkv.Options{})
	el, err := elector.New(db, election.New(subspace.New("jobs")), elector.Options{})
	if err != nil {
		log.Fatal(err)
	}
	job := func() {
		if !el.Leading() {
			fmt.Println("skipped")
			return
		}
		fmt.Println("done in term", el.Term())
	}

	job()
	lead, err := el.Campaign(ctx)
	if err != nil {
		log.Fatal(err)
	}
	job()
	if err := errors.Join(lead.Resign(ctx), el.Stop(ctx)); err != nil {
		log.Fatal(err)
	}
	job()
	// Output:
	// skipped
	// done in term 1
	// skipped
}

// Code that was written for the callbacks of client-go's leaderelection.
func ExampleElector_RunCallbacks() {
	ctx, cancel := context.WithCancel(context.Background())
	db := memkv.New(memkv.Options{})
	leader := make(chan string, 1)
	follow := func(identity string) { leader <- identity }
	run := func(ctx context.Context) {
		fmt.Println("the controllers run, led by", <-leader)
		cancel()
		<-ctx.Done()
		fmt.Println("the controllers have stopped")
	}
	// begin clientgo
	el, err := elector.New(db, election.New(subspace.New("controllers")), elector.Options{
		NodeID: "host-1",                                      // the Identity of the lock
		Config: fdbelection.ConfigWithLease(15 * time.Second), // RenewDeadline and RetryPeriod follow
	})
	if err != nil {
		log.Fatal(err)
	}
	err = el.RunCallbacks(ctx, elector.LeaderCallbacks{
		OnStartedLeading: run,
		OnStoppedLeading: func() { fmt.Println("stopped leading") },
		OnNewLeader:      follow,
	})
	// end clientgo
	fmt.Println("left:", err)
	// Output:
	// the controllers run, led by host-1
	// the controllers have stopped
	// stopped leading
	// left: <nil>
}

// The candidates of an election, with their roles and metadata. ClusterState does no I/O. It
// returns what the elector knows from its last list.
func ExampleElector_ClusterState() {
	ctx := context.Background()
	db := memkv.New(memkv.Options{})
	leads := make(chan struct{})
	// begin cluster
	el, err := elector.New(db, election.New(subspace.New("billing")), elector.Options{
		NodeID:   "host-1",
		Role:     election.Voter, // or election.Observer: is listed and never leads
		Metadata: map[string]string{"address": "10.0.0.1:8080", "zone": "a"},
		Callbacks: elector.Callbacks{StateCallbacks: elector.StateCallbacks{
			OnEnterLeader:   func(context.Context, elector.Transition) { close(leads) },
			OnEnterFollower: func(context.Context, elector.Transition) { fmt.Println("follows") },
		}},
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := el.Start(ctx); err != nil {
		log.Fatal(err)
	}
	// end cluster
	<-leads
	state := el.ClusterState()
	fmt.Println("leader:", state.Leader.ID, "in zone", state.Leader.Metadata["zone"])
	for _, voter := range state.Voters {
		fmt.Println("voter:", voter.ID, "at", voter.Metadata["address"])
	}
	fmt.Println("stop:", el.Stop(ctx))
	// Output:
	// leader: host-1 in zone a
	// voter: host-1 at 10.0.0.1:8080
	// stop: <nil>
}
