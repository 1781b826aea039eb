// Command sink shows a system outside the database that refuses the requests of former leaders. The
// leader sends its term with each request, and the sink keeps the highest one. A leader is suspended
// while it sends a request, which arrives when another process leads.
//
// sink.go has the sink, process.go has a process that leads, and main.go lets them meet. All run in
// this process. The sink has a file below the directory for temporary files.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// network delivers requests. After a value in hold it keeps the next request until release is closed.
// The end of its context does not stop that request, because it has left the process.
type network struct {
	hold, held, release chan struct{}
}

func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	select {
	case <-n.hold:
		close(n.held)
		<-n.release
		req = req.WithContext(context.WithoutCancel(req.Context()))
	default:
	}
	return http.DefaultTransport.RoundTrip(req)
}

func run(ctx context.Context, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	dir, err := os.MkdirTemp("", "sink")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	store, err := filekv.Open(filepath.Join(dir, "sink.db"), filekv.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	server := httptest.NewServer((&sink{db: store}).handler())
	defer server.Close()
	return meet(ctx, out, server.URL+"/tea")
}

// meet lets two processes write the price of tea.
func meet(ctx context.Context, out io.Writer, url string) error {
	db := memkv.New(memkv.Options{})
	n := &network{hold: make(chan struct{}, 1), held: make(chan struct{}), release: make(chan struct{})}
	a, err := start(ctx, db, "a", url, n)
	if err != nil {
		return err
	}
	if err := errors.Join(a.report(ctx, out), a.put(ctx, "100"), a.report(ctx, out)); err != nil {
		return err
	}

	n.hold <- struct{}{}
	if err := a.put(ctx, "90"); err != nil {
		return err
	}
	<-n.held
	a.Abandon() // it neither renews its lease nor learns that it has ended, as if it were suspended
	fmt.Fprintln(out, "a is suspended while it sends 90.")
	b, err := start(ctx, db, "b", url, http.DefaultTransport)
	if err != nil {
		return err
	}
	if err := errors.Join(b.report(ctx, out), b.put(ctx, "120"), b.report(ctx, out)); err != nil {
		return err
	}

	fmt.Fprintln(out, "a continues.")
	close(n.release)
	if err := a.report(ctx, out); err != nil {
		return err
	}
	<-a.ended // it says that a was abandoned
	return errors.Join(b.Stop(ctx), <-b.ended)
}

// put gives a process a price to write.
func (p *process) put(ctx context.Context, price string) error {
	select {
	case p.prices <- price:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// report prints the next answer that a process has got from the sink.
func (p *process) report(ctx context.Context, out io.Writer) error {
	select {
	case report := <-p.reports:
		fmt.Fprintln(out, report)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
