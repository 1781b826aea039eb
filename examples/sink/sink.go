package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// termHeader has the fencing token of the leader that sends a request.
const termHeader = "Leader-Term"

var resources = subspace.New("sink")

// sink is an HTTP service whose resources only the newest leader changes. It stores the highest term
// of a resource in the same transaction as the value, so a restart forgets neither.
type sink struct {
	db kv.Database
}

func (s *sink) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{name}", s.get)
	mux.HandleFunc("PUT /{name}", s.put)
	return mux
}

// get answers everyone. With a term it raises the highest one, as a put does. So no earlier leader
// changes what the new leader has read.
func (s *sink) get(w http.ResponseWriter, req *http.Request) {
	s.answer(w, req, func(tr kv.Transaction, resource subspace.Subspace) ([]byte, error) {
		return tr.Get(resource.Sub("value").Bytes()).Get()
	})
}

func (s *sink) put(w http.ResponseWriter, req *http.Request) {
	if req.Header.Get(termHeader) == "" {
		http.Error(w, "the header "+termHeader+" is missing", http.StatusPreconditionRequired)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 64<<10))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.answer(w, req, func(tr kv.Transaction, resource subspace.Subspace) ([]byte, error) {
		tr.Set(resource.Sub("value").Bytes(), body)
		return body, nil
	})
}

// answer runs do in a transaction that also checks the term of the request.
func (s *sink) answer(w http.ResponseWriter, req *http.Request, do func(kv.Transaction, subspace.Subspace) ([]byte, error)) {
	resource := resources.Sub(req.PathValue("name"))
	header := req.Header.Get(termHeader)
	term, err := strconv.ParseUint(header, 10, 64)
	if header != "" && (err != nil || term == 0) { // terms begin with 1
		http.Error(w, "the header "+termHeader+" is not a term", http.StatusBadRequest)
		return
	}
	value, err := kv.Transact(req.Context(), s.db, func(tr kv.Transaction) ([]byte, error) {
		if header != "" {
			if err := raise(tr, resource.Sub("term").Bytes(), term); err != nil {
				return nil, err
			}
		}
		return do(tr, resource)
	})
	var refused *refusedError
	switch {
	case err == nil:
		_, _ = w.Write(value) // an error means that the client is gone
	case errors.As(err, &refused):
		http.Error(w, err.Error(), http.StatusPreconditionFailed)
	default: // the value may be stored or not: the client may repeat the request
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	}
}

// refusedError says that a request of a higher term came before this one.
type refusedError struct {
	term, highest uint64
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("term %d is refused, because term %d came before", e.term, e.highest)
}

// raise stores a term that is higher than the stored one, and refuses a lower one.
func raise(tr kv.Transaction, key []byte, term uint64) error {
	stored, err := tr.Get(key).Get()
	if err != nil {
		return err
	}
	if stored != nil {
		highest, err := strconv.ParseUint(string(stored), 10, 64)
		if err != nil {
			return fmt.Errorf("the stored term is damaged: %w", err)
		}
		if term < highest {
			return &refusedError{term, highest}
		}
	}
	tr.Set(key, strconv.AppendUint(nil, term, 10))
	return nil
}
