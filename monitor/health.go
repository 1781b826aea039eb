package monitor

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// Livez returns a handler for a liveness probe. It answers 200 if Elector.Health of every
// elector returns nil, and 503 with the reason otherwise. A standby is alive, also while the
// store does not answer.
//
// The handlers of this package take GET and HEAD. They do no I/O and answer at once, even if
// an elector hangs.
func Livez(electors ...*elector.Elector) http.Handler {
	return probe(func() error { return every(electors, health) })
}

// Readyz returns a handler for a readiness probe. It answers 200 if every elector takes part
// in its election or subscribes to it, is healthy and is ready to lead (elector.Options.Ready).
// Otherwise it answers 503 with the reason. A process that is about to leave the election is
// ready until it has stopped.
func Readyz(electors ...*elector.Elector) http.Handler {
	return probe(func() error {
		return every(electors, func(el *elector.Elector) error {
			if el.State() == elector.StateStopped {
				return errors.New("the elector has not started, or has stopped")
			}
			if err := health(el); err != nil {
				return err
			}
			if reason := el.Stats().NotReady; reason != "" {
				return errors.New("not ready to lead: " + reason)
			}
			return nil
		})
	})
}

// Leaderz returns a handler that answers 200 while this process leads, and 503 otherwise. It
// is for a load balancer that sends requests to the leader only. Leadership may end right
// after the answer, so fence what another leader must not overlap.
func Leaderz(el *elector.Elector) http.Handler {
	return probe(func() error { return el.IsLeader(context.Background()) })
}

func health(el *elector.Elector) error { return el.Health(context.Background()) }

// every returns the errors of all electors that have one, with their ids.
func every(electors []*elector.Elector, check func(*elector.Elector) error) error {
	var faults []error
	for _, el := range electors {
		if err := check(el); err != nil {
			faults = append(faults, errors.New(el.NodeID()+": "+err.Error()))
		}
	}
	return errors.Join(faults...)
}

// probe answers 200 if check returns nil, and 503 with the text of the error otherwise.
func probe(check func() error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Type", "text/plain; charset=utf-8")
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Cache-Control", "no-store")
		if !slices.Contains([]string{http.MethodGet, http.MethodHead}, r.Method) {
			head.Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		text := "ok\n"
		if err := check(); err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			text = oneByOne(err)
		}
		_, _ = io.WriteString(w, text) // if it fails, the client is gone
	})
}

// oneByOne returns the lines of an error, safe to print: parts of it may be from the
// database.
func oneByOne(err error) string {
	var b strings.Builder
	for line := range strings.Lines(err.Error()) {
		b.WriteString(election.SafeText(strings.TrimRight(line, "\r\n")) + "\n")
	}
	return b.String()
}
