package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/fdbelection/fdbelection/election"
)

const (
	maxRedirects = 10
	maxBody      = 10 << 10 // bytes
	maxHeader    = 64 << 10 // bytes
)

// HTTP returns a check that sends a GET request to a URL. The statuses 200 to 399 mean
// ready, as in Kubernetes. The headers and the first bytes of the body must arrive before
// ctx ends. Redirects to the same host are followed, and a redirect to another host is the
// answer. No proxy is used. Certificates are verified. The reason of a failure does not
// contain the URL, because that may contain a password.
//
// HTTP returns an error if target is not an absolute http or https URL.
func HTTP(target string) (Check, error) {
	u, err := parseURL(target)
	if err != nil {
		return nil, err
	}
	client := &http.Client{
		// A new connection for each check shows whether the server still accepts one.
		Transport:     &http.Transport{DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader},
		CheckRedirect: onlySameHost,
	}
	return func(ctx context.Context) error { return get(ctx, client, u.String()) }, nil
}

func parseURL(target string) (*url.URL, error) {
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return nil, fmt.Errorf("is not a URL: %w", withoutURL(err))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%s is not an HTTP URL; begin it with http:// or https://", election.SafeText(u.Redacted()))
	case u.Hostname() == "":
		return nil, fmt.Errorf("%s names no host", election.SafeText(u.Redacted()))
	}
	return u, nil
}

// onlySameHost decides whether to follow a redirect.
func onlySameHost(next *http.Request, via []*http.Request) error {
	switch {
	case next.URL.Hostname() != via[0].URL.Hostname():
		return http.ErrUseLastResponse
	case len(via) >= maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	}
	return nil
}

func get(ctx context.Context, client *http.Client, target string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return withoutURL(err)
	}
	request.Header.Set("User-Agent", "fdbelect")
	answer, err := client.Do(request)
	if err != nil {
		return late(ctx, err)
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	var body tail
	if _, err := io.Copy(&body, io.LimitReader(answer.Body, maxBody)); err != nil {
		return late(ctx, err)
	}
	if answer.StatusCode >= http.StatusOK && answer.StatusCode < http.StatusBadRequest {
		return nil
	}
	return errors.New(body.after(fmt.Sprintf("HTTP status %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))))
}

// late returns the error of a request. If ctx has ended, it says that instead.
func late(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("there was no complete answer in time")
	}
	return withoutURL(err)
}

// withoutURL returns the cause of an error without its URL, safe to print.
func withoutURL(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		err = failed.Err
	}
	return errors.New(election.SafeText(err.Error()))
}
