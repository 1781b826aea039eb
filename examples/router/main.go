// Command router shows a router that sends each request to the leader of a service. The
// service has two processes. Each stores its address in its metadata. The router subscribes
// to the election and never polls an address.
//
// All run in this process on the engine in memory, so nothing needs to be set up.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

var service = election.New(subspace.New("orders"))

// router sends requests to the leader.
type router struct {
	leader atomic.Pointer[url.URL] // nil: there is no leader
}

// follow takes the address of each leader, and each new address of it, until ctx ends.
func (r *router) follow(ctx context.Context, db kv.Database) error {
	el, err := elector.New(db, service, elector.Options{})
	if err != nil {
		return err
	}
	for leader := range el.Subscribe(ctx) {
		address, err := url.Parse(leader.Metadata["url"])
		if err != nil || leader.Vacant() || !leader.Accepted || address.Host == "" {
			address = nil // between two leaders, or a leader without an address
		}
		r.leader.Store(address)
	}
	return ctx.Err()
}

func (r *router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	leader := r.leader.Load()
	if leader == nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "there is no leader at the moment", http.StatusServiceUnavailable)
		return
	}
	proxy := httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(leader) }}
	proxy.ServeHTTP(w, req)
}

// backend is one process of the service. It answers only while it leads.
type backend struct {
	*elector.Elector
	name string
}

func newBackend(ctx context.Context, db kv.Database, name string) (*backend, error) {
	b := &backend{name: name}
	server := httptest.NewServer(b)
	context.AfterFunc(ctx, server.Close)
	var err error
	b.Elector, err = elector.New(db, service, elector.Options{NodeID: name, Metadata: map[string]string{"url": server.URL}})
	if err != nil {
		return nil, err
	}
	return b, b.Start(ctx)
}

func (b *backend) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !b.Leading() { // the router may be a moment behind
		http.Error(w, b.name+" does not lead", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, "%s in term %d", b.name, b.Term())
}

func run(ctx context.Context, out io.Writer) error {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	db := memkv.New(memkv.Options{})
	r := &router{}
	front := httptest.NewServer(r)
	defer front.Close()
	followed := make(chan error, 1)
	go func() { followed <- r.follow(ctx, db) }()

	a, err := newBackend(ctx, db, "a")
	if err != nil {
		return err
	}
	if err := get(ctx, out, front.URL, "a in term 1"); err != nil {
		return err
	}
	b, err := newBackend(ctx, db, "b")
	if err != nil {
		return err
	}
	if err := a.Stop(ctx); err != nil {
		return err
	}
	fmt.Fprintln(out, "a has stopped")
	if err := get(ctx, out, front.URL, "b in term 2"); err != nil {
		return err
	}
	moved := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "b at its new address")
	}))
	defer moved.Close()
	if err := b.SetMetadata(map[string]string{"url": moved.URL}); err != nil {
		return err
	}
	fmt.Fprintln(out, "b has moved")
	if err := get(ctx, out, front.URL, "b at its new address"); err != nil {
		return err
	}
	stop()
	if err := <-followed; !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// get sends requests through the router until the answer is as wanted, and prints it.
func get(ctx context.Context, out io.Writer, from, want string) error {
	for {
		answer, err := once(ctx, from)
		if err != nil {
			return err
		}
		if answer == want {
			fmt.Fprintf(out, "GET / -> %s\n", answer)
			return nil
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the last answer is %q instead of %q: %w", answer, want, ctx.Err())
		}
	}
}

func once(ctx context.Context, from string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
