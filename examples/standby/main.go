// Command standby shows a service with a primary, which takes writes, and a standby, which answers reads
// and is promoted when the primary stops. A new primary first completes its copy of the data, and
// a former one closes its writes before leadership is released.
//
// replica.go has the promotion, http.go the endpoints, and main.go runs two processes in this one
// on the engine in memory, so nothing needs to be set up.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// process is one process of the service with its HTTP server.
type process struct {
	id, url string
	stop    func() error // ends the elector. The server goes on
}

func start(ctx context.Context, db kv.Database, id string) (*process, error) {
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	r, err := newReplica(db, elector.Options{NodeID: id, Metadata: map[string]string{"url": url}})
	if err != nil {
		return nil, err
	}
	server.Config.Handler = r.handler()
	server.Start()
	context.AfterFunc(ctx, server.Close)
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- r.run(ctx) }()
	return &process{id: id, url: url, stop: func() error { cancel(); return <-ended }}, nil
}

func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	db := memkv.New(memkv.Options{})
	a, err := start(ctx, db, "a")
	if err != nil {
		return err
	}
	if err := a.until(ctx, out, get, "/readyz", "", "primary in term 1, 0 entries"); err != nil {
		return err
	}
	b, err := start(ctx, db, "b")
	if err != nil {
		return err
	}
	for i, name := range []string{"Ada", "Grace"} {
		if err := b.until(ctx, out, post, "/entries", name, fmt.Sprintf("a has written entry %d", i)); err != nil {
			return err
		}
	}
	if err := b.until(ctx, out, get, "/readyz", "", "standby, 2 entries"); err != nil {
		return err
	}

	if err := a.stop(); err != nil {
		return err
	}
	fmt.Fprintln(out, "a has stopped.")
	if err := b.until(ctx, out, get, "/readyz", "", "primary in term 2, 2 entries"); err != nil {
		return err
	}
	if err := b.until(ctx, out, post, "/entries", "Barbara", "b has written entry 2"); err != nil {
		return err
	}
	if err := b.until(ctx, out, get, "/entries", "", "Ada, Grace, Barbara"); err != nil {
		return err
	}
	return b.stop()
}

const get, post = http.MethodGet, http.MethodPost

// until sends a request until the answer is as wanted, and prints it.
func (p *process) until(ctx context.Context, out io.Writer, method, path, body, want string) error {
	for {
		answer, err := p.send(ctx, method, path, body)
		if err != nil {
			return err
		}
		if answer == want {
			fmt.Fprintf(out, "%s: %s -> %s\n", p.id, strings.TrimSpace(method+" "+path+" "+body), answer)
			return nil
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("the last answer is %q instead of %q: %w", answer, want, ctx.Err())
		}
	}
}

// send sends one request. The client follows redirects.
func (p *process) send(ctx context.Context, method, path, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return strings.TrimSpace(string(answer)), err
}
