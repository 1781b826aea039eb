package monitor_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/monitor"
	"github.com/fdbelection/fdbelection/subspace"
)

// A service exports the metrics of its elector, and answers probes.
func Example() {
	db := memkv.New(memkv.Options{})
	el, err := elector.New(db, election.New(subspace.New("orders")), elector.Options{NodeID: "a"})
	if err != nil {
		fmt.Println(err)
		return
	}
	// begin metrics
	electors := monitor.NewElectors(monitor.ElectorsOptions{})
	electors.Add("orders", el)
	registry := prometheus.NewRegistry()
	registry.MustRegister(electors)

	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.Handle("/livez", monitor.Livez(el))
	mux.Handle("/readyz", monitor.Readyz(el))
	mux.Handle("/leaderz", monitor.Leaderz(el))
	// end metrics

	for _, path := range []string{"/livez", "/readyz", "/leaderz"} {
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		fmt.Print(path, " ", answer.Code, " ", answer.Body)
	}
	// Output:
	// /livez 200 ok
	// /readyz 503 a: elector is not running
	// /leaderz 503 not the leader
}
