// Package serve is the subcommand "serve": a page and an HTTP API that show the elections
// and groups of a store, and its metrics. It only reads.
package serve

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/web"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/overview"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/monitor"
	"github.com/fdbelection/fdbelection/subspace"
)

// Options configure a handler.
type Options struct {
	Database kv.Database
	Space    subspace.Subspace // above the elections
	Store    string            // for the answers, as --store names it
	Root     string
	Clock    elector.Clock
	Logger   *slog.Logger
	// Authorized reports whether a token may read. Nil: no token is needed.
	Authorized func(token string) bool
	// LocalOnly refuses requests for other hosts than this one, so that a web page of
	// another host cannot read through the browser of a user.
	LocalOnly bool
}

// server answers the requests.
type server struct {
	feed    *feed
	streams chan struct{} // has an element for each open page
	secret  bool          // a token is needed
}

// NewHandler returns a handler of the page, the API, the metrics and the probes.
func NewHandler(o Options) http.Handler {
	s := &server{
		feed: newFeed(&o), streams: make(chan struct{}, mostStreams), secret: o.Authorized != nil,
	}
	metrics := web.Metrics(o.Logger,
		monitor.NewElections(o.Database, o.Space, monitor.ElectionsOptions{Clock: o.Clock, Logger: o.Logger}),
		monitor.NewGroups(o.Database, o.Space, monitor.GroupsOptions{Clock: o.Clock, Logger: o.Logger}))
	secret := func(h http.Handler) http.Handler { return authorize(o.Authorized, h) }
	mux := http.NewServeMux()
	mux.Handle("/api/v1/list", secret(http.HandlerFunc(s.list)))
	mux.Handle("/api/v1/status", secret(http.HandlerFunc(s.status)))
	mux.Handle("/api/v1/candidates", secret(http.HandlerFunc(s.candidates)))
	mux.Handle("/api/v1/history", secret(http.HandlerFunc(s.history)))
	mux.Handle("/api/v1/group/status", secret(http.HandlerFunc(s.groupStatus)))
	mux.Handle("/api/v1/group/members", secret(http.HandlerFunc(s.groupMembers)))
	mux.Handle("/api/v1/group/shards", secret(http.HandlerFunc(s.groupShards)))
	mux.Handle("/api/v1/group/history", secret(http.HandlerFunc(s.groupHistory)))
	mux.Handle("/api/v1/stream", secret(http.HandlerFunc(s.stream)))
	mux.HandleFunc("/api/v1/openapi.json", asset("openapi.json"))
	mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) { fail(w, http.StatusNotFound, "see /api/v1/openapi.json") })
	mux.Handle("/metrics", secret(metrics))
	mux.Handle("/livez", monitor.Livez())
	mux.HandleFunc("/readyz", s.readyz)
	mux.HandleFunc("/page/{file}", pageFiles())
	mux.HandleFunc("/election", asset("page/index.html"))
	mux.HandleFunc("/group", asset("page/index.html"))
	mux.HandleFunc("/{$}", asset("page/index.html"))
	return guard(o.LocalOnly, mux)
}

// answer writes a value as JSON.
func answer(w http.ResponseWriter, code int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(value) // if it fails, the client is gone
}

// fail answers with an error.
func fail(w http.ResponseWriter, code int, text string) {
	answer(w, code, struct {
		Error string `json:"error"`
	}{text})
}

const unreadable = "the store cannot be read: "

// failedRead answers that the store cannot be read, if err is an error.
func failedRead(w http.ResponseWriter, err error) bool {
	if err != nil {
		fail(w, http.StatusServiceUnavailable, unreadable+election.SafeText(err.Error()))
	}
	return err != nil
}

// current returns a new reading, or answers that the store cannot be read.
func (s *server) current(w http.ResponseWriter) *overview.Reading {
	now := s.feed.reader.Read()
	if failedRead(w, now.Err) {
		return nil
	}
	return now
}

// found returns the election that a request names, or answers that there is none.
func (s *server) found(w http.ResponseWriter, r *http.Request) (*overview.Election, *overview.Reading) {
	name := r.URL.Query().Get("election")
	now := s.current(w)
	if now == nil {
		return nil, nil
	}
	e := find(now, name)
	switch {
	case e != nil:
	case name == "":
		fail(w, http.StatusNotFound, "no election is named: use ?election=NAME; /api/v1/list has the names")
	default:
		fail(w, http.StatusNotFound, "there is no election "+election.SafeText(name)+" below "+election.SafeText(s.feed.root))
	}
	return e, now
}

func (s *server) list(w http.ResponseWriter, _ *http.Request) {
	now := s.current(w)
	if now == nil {
		return
	}
	ofGroups := s.currentGroups(w)
	if ofGroups == nil {
		return
	}
	type named struct {
		name string
		any
	}
	all := make([]named, 0, len(now.Elections)+len(ofGroups.Groups))
	for i := range now.Elections {
		all = append(all, named{now.Elections[i].Name, listedOf(&now.Elections[i], now)})
	}
	for i := range ofGroups.Groups {
		all = append(all, named{ofGroups.Groups[i].Name, listedGroupOf(&ofGroups.Groups[i])})
	}
	// In the order of the names, like the subcommand.
	slices.SortStableFunc(all, func(a, b named) int { return strings.Compare(a.name, b.name) })
	values := make([]any, len(all))
	for i := range all {
		values[i] = all[i].any
	}
	answer(w, http.StatusOK, values)
}

func (s *server) status(w http.ResponseWriter, r *http.Request) {
	if e, now := s.found(w, r); e != nil {
		answer(w, http.StatusOK, s.feed.statusOf(e, now))
	}
}

func (s *server) candidates(w http.ResponseWriter, r *http.Request) {
	if e, now := s.found(w, r); e != nil {
		answer(w, http.StatusOK, encodeCandidates(e, now))
	}
}

// usualEvents is how many events of the history are sent by default, as in "history".
const usualEvents = 20

func (s *server) history(w http.ResponseWriter, r *http.Request) {
	limit, ok := limitOf(w, r, usualEvents)
	if !ok {
		return
	}
	e, _ := s.found(w, r)
	if e == nil {
		return
	}
	events, err := s.feed.history(r.Context(), e.Name, limit)
	if !errors.Is(err, fdbelection.ErrInvalidState) && failedRead(w, err) { // the status names unreadable events
		return
	}
	all := make([]report.Event, len(events))
	for i := range events {
		all[i] = report.EventOf(&events[i])
	}
	answer(w, http.StatusOK, all)
}

// readyz answers 200 if the store can be read. It needs no token. If other
// answers do, it does not say why the store cannot be read.
func (s *server) readyz(w http.ResponseWriter, _ *http.Request) {
	now := s.feed.reader.Read()
	if now.Err == nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n")) // if it fails, the client is gone
		return
	}
	why := election.SafeText(now.Err.Error())
	if s.secret {
		why = "see the log of serve"
	}
	fail(w, http.StatusServiceUnavailable, unreadable+why)
}
