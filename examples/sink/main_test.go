package main

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/examples/internal/check"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// TestRun: the program prints what README.md shows.
func TestRun(t *testing.T) {
	var out strings.Builder
	require.NoError(t, run(t.Context(), &out))
	check.Readme(t, out.String())
}

// answer returns what the sink answers to a request.
func answer(db kv.Database, method, path, term, body string) (status int, text string) {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if term != "" {
		req.Header.Set(termHeader, term)
	}
	w := httptest.NewRecorder()
	(&sink{db: db}).handler().ServeHTTP(w, req)
	return w.Code, strings.TrimSpace(w.Body.String())
}

func TestSink(t *testing.T) {
	db := memkv.New(memkv.Options{})
	for _, step := range []struct {
		method, path, term, body string
		status                   int
		answer                   string
	}{
		{"PUT", "/tea", "", "1", http.StatusPreconditionRequired, "the header Leader-Term is missing"},
		{"PUT", "/tea", "0", "1", http.StatusBadRequest, "the header Leader-Term is not a term"},
		{"PUT", "/tea", "-1", "1", http.StatusBadRequest, "the header Leader-Term is not a term"},
		{"GET", "/tea", "x", "", http.StatusBadRequest, "the header Leader-Term is not a term"},
		{"GET", "/tea", "", "", http.StatusOK, ""},
		{"PUT", "/tea", "3", "30", http.StatusOK, "30"},
		{"PUT", "/tea", "3", "31", http.StatusOK, "31"},
		{"PUT", "/tea", "2", "20", http.StatusPreconditionFailed, "term 2 is refused, because term 3 came before"},
		{"GET", "/tea", "2", "", http.StatusPreconditionFailed, "term 2 is refused, because term 3 came before"},
		{"GET", "/tea", "", "", http.StatusOK, "31"},
		{"GET", "/tea", "10", "", http.StatusOK, "31"}, // a leader reads, and ends the term 3
		{"PUT", "/tea", "3", "32", http.StatusPreconditionFailed, "term 3 is refused, because term 10 came before"},
		{"PUT", "/milk", "2", "5", http.StatusOK, "5"}, // another resource
		{"GET", "/tea", "", "", http.StatusOK, "31"},
		{"PUT", "/tea", "10", strings.Repeat("9", 64<<10+1), http.StatusBadRequest, "http: request body too large"},
		{"POST", "/tea", "10", "", http.StatusMethodNotAllowed, "Method Not Allowed"},
	} {
		status, text := answer(db, step.method, step.path, step.term, step.body)
		require.Equal(t, step.status, status, "%v", step)
		require.Equal(t, step.answer, text, "%v", step)
	}
}

// TestRestart: the sink remembers the highest term when it is started again.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sink.db")
	restarted := func() *filekv.DB {
		db, err := filekv.Open(path, filekv.Options{})
		require.NoError(t, err)
		return db
	}
	db := restarted()
	status, _ := answer(db, "PUT", "/tea", "7", "70")
	require.Equal(t, http.StatusOK, status)
	require.NoError(t, db.Close())

	status, text := answer(db, "PUT", "/tea", "8", "80")
	require.Equal(t, http.StatusServiceUnavailable, status, "the store of the sink is closed")
	require.Contains(t, text, "closed")

	db = restarted()
	status, _ = answer(db, "PUT", "/tea", "6", "60")
	require.Equal(t, http.StatusPreconditionFailed, status)
	status, text = answer(db, "PUT", "/tea", "7", "71")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "71", text)
	require.NoError(t, db.Close())
}

// TestRefusedWork: the work of a leader whose term is too low ends with ErrFenced.
func TestRefusedWork(t *testing.T) {
	db := memkv.New(memkv.Options{})
	status, _ := answer(db, "PUT", "/tea", "9", "90")
	require.Equal(t, http.StatusOK, status)
	server := httptest.NewServer((&sink{db: db}).handler())
	defer server.Close()

	a, err := start(t.Context(), memkv.New(memkv.Options{}), "a", server.URL+"/tea", http.DefaultTransport)
	require.NoError(t, err)
	var failed *elector.WorkError
	require.ErrorAs(t, check.Next(t, a.Errors()), &failed)
	require.ErrorIs(t, failed, fdbelection.ErrFenced)
	require.Equal(t, uint64(1), failed.Term)
	require.False(t, failed.Stopping)
	require.NoError(t, a.Stop(t.Context()))
}
