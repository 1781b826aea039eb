package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// process writes prices to the sink while it leads.
type process struct {
	*elector.Elector
	url     string // of the resource in the sink
	client  http.Client
	prices  chan string // to be written
	reports chan string // what has happened
	ended   chan error  // what Run returned
}

func start(ctx context.Context, db kv.Database, id, url string, network http.RoundTripper) (*process, error) {
	el, err := elector.New(db, election.New(subspace.New("prices")), elector.Options{
		NodeID: id,
		Config: fdbelection.ConfigWithLease(2 * time.Second),
	})
	if err != nil {
		return nil, err
	}
	p := &process{
		Elector: el, url: url, client: http.Client{Transport: network},
		prices: make(chan string), reports: make(chan string, 8), ended: make(chan error, 1),
	}
	go func() { p.ended <- el.Run(ctx, p.work) }()
	return p, nil
}

// work reads the price before it writes any. From that request on, the sink refuses earlier terms.
func (p *process) work(ctx context.Context, lead *elector.Leadership) error {
	if err := p.do(ctx, lead, http.MethodGet, ""); err != nil {
		return err
	}
	for {
		select {
		case price := <-p.prices:
			if err := p.do(ctx, lead, http.MethodPut, price); err != nil {
				return err
			}
		case <-ctx.Done():
			return nil
		}
	}
}

// do sends a request on the authority of a tenure, and reports the answer. The error is
// fdbelection.ErrFenced if the sink has seen a later term.
func (p *process) do(ctx context.Context, lead *elector.Leadership, method, price string) error {
	req, err := http.NewRequestWithContext(ctx, method, p.url, strings.NewReader(price))
	if err != nil {
		return err
	}
	req.Header.Set(termHeader, strconv.FormatUint(lead.Term(), 10))
	resp, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	answer := strings.TrimSpace(string(body))
	p.reports <- fmt.Sprintf("%s in term %d: %s %q -> %d %q", p.NodeID(), lead.Term(), method, price, resp.StatusCode, answer)
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusPreconditionFailed:
		return fmt.Errorf("%w: %s", fdbelection.ErrFenced, answer)
	default:
		return fmt.Errorf("the sink answers %s: %s", resp.Status, answer)
	}
}
