package elector_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// A liveness probe. A healthy standby is healthy, and so is an elector that has not started.
func ExampleElector_Health() {
	db := memkv.New(memkv.Options{})
	el, err := elector.New(db, election.New(subspace.New("billing")), elector.Options{})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	// begin health
	probe := func(healthy func(context.Context) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if err := healthy(r.Context()); err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
			}
		}
	}
	mux.Handle("/livez", probe(el.Health))
	// end health

	ask := func() {
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/livez", http.NoBody))
		fmt.Println(answer.Code)
	}
	ask()
	lead, err := el.Campaign(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	ask()
	if err := lead.Resign(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println("stop:", el.Stop(context.Background()))
	// Output:
	// 200
	// 200
	// stop: <nil>
}

// A client that needs the leader once, and not its changes. The answer is a leader that is
// known to be alive, and not one whose record is left over.
func ExampleElector_WaitLeader() {
	db := memkv.New(memkv.Options{})
	space := subspace.New("billing")
	leader, err := elector.New(db, election.New(space), elector.Options{
		NodeID: "host-1", Metadata: map[string]string{"address": "10.0.0.1:8080"},
		Config: fdbelection.ConfigWithLease(time.Second),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := leader.Start(context.Background()); err != nil {
		log.Fatal(err)
	}

	// begin wait
	el, err := elector.New(db, election.New(space), elector.Options{MustExist: true})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	found, err := el.WaitLeader(ctx) // it subscribes while it waits
	cancel()
	if err != nil {
		log.Fatal(err) // it says what is missing
	}
	fmt.Println("connects to", found.Metadata["address"])
	// end wait
	fmt.Println("stop:", leader.Stop(context.Background()))
	// Output:
	// connects to 10.0.0.1:8080
	// stop: <nil>
}
