// Command oklogrun shows an elector as an actor of oklog/run, beside an HTTP server. If one actor
// ends, all end, and the elector leaves in order: its work returns before leadership is released.
//
// All runs in this process on the engine in memory, so nothing needs to be set up.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/oklog/run"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

func main() {
	if err := serve(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func serve(out io.Writer) error {
	el, err := elector.New(memkv.New(memkv.Options{}), election.New(subspace.New("billing")), elector.Options{NodeID: "host-1"})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, el.LeaderID(), " leads")
	})}
	var group run.Group

	// The work needs leadership.
	ctx, stop := context.WithCancel(context.Background())
	leads := make(chan struct{})
	group.Add(func() error {
		return el.Run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
			fmt.Fprintf(out, "The work begins in term %d.\n", lead.Term())
			close(leads)
			<-ctx.Done()
			fmt.Fprintln(out, "The work has returned.")
			return nil
		})
	}, func(error) { stop() })

	// The server runs all the time.
	group.Add(func() error { return server.Serve(listener) }, func(error) { _ = server.Close() })

	// A signal would end a real program: run.SignalHandler. Here it is the end of a request.
	asked, cancel := context.WithCancel(context.Background())
	group.Add(func() error {
		select {
		case <-leads:
		case <-asked.Done():
			return asked.Err()
		}
		answer, err := get(asked, "http://"+listener.Addr().String())
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "GET / ->", answer)
		return errAnswered
	}, func(error) { cancel() })

	err = group.Run()
	fmt.Fprintln(out, "All have ended:", err)
	fmt.Fprintln(out, "The elector is", el.State().String()+".")
	if errors.Is(err, errAnswered) {
		return nil
	}
	return err
}

var errAnswered = errors.New("the request was answered")

func get(ctx context.Context, url string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
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
