package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

func (r *replica) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", r.getReady)
	mux.HandleFunc("GET /entries", r.getEntries)
	mux.HandleFunc("POST /entries", r.postEntry)
	return mux
}

// getReady says what this process is. It is not ready while it is promoted.
func (r *replica) getReady(w http.ResponseWriter, _ *http.Request) {
	lead := r.primary.Load()
	switch {
	case lead != nil && lead.Leads():
		fmt.Fprintf(w, "primary in term %d, %d entries\n", lead.Term(), r.count())
	case r.Leading():
		http.Error(w, "in promotion, catching up", http.StatusServiceUnavailable)
	default:
		fmt.Fprintf(w, "standby, %d entries\n", r.count())
	}
}

// getEntries answers from the copy. That of a standby may be a moment behind.
func (r *replica) getEntries(w http.ResponseWriter, _ *http.Request) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	fmt.Fprintln(w, strings.Join(r.entries, ", "))
}

// postEntry writes an entry, or redirects the client to the primary.
func (r *replica) postEntry(w http.ResponseWriter, req *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<10))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n, err := r.write(req.Context(), string(text))
	switch leader, found := r.Leader(); {
	case err == nil:
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, "%s has written entry %d\n", r.NodeID(), n)
	case !errors.Is(err, errClosed): // the entry may be there
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case found && leader.ID != r.NodeID():
		http.Redirect(w, req, leader.Metadata["url"]+req.URL.Path, http.StatusTemporaryRedirect)
	default: // no process leads, or this one is not open yet
		w.Header().Set("Retry-After", "1")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}
