package elector_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

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
