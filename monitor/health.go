package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group/member"
)

// Participant takes part in an election or a group, or observes it. It is an *elector.Elector or a
// *member.Member.
type Participant interface {
	// Health returns nil if it works, and otherwise what is wrong.
	Health(ctx context.Context) error
	// Readiness returns nil if it takes part, is healthy and is ready to lead, and otherwise why
	// not.
	Readiness(ctx context.Context) error
}

var (
	_ Participant = (*elector.Elector)(nil)
	_ Participant = (*member.Member)(nil)
)

// Livez returns a handler for a liveness probe. It answers 200 if Health of every participant
// returns nil, and 503 with the reason otherwise. A standby is alive, also while the store does
// not answer.
//
// The handlers of this package take GET and HEAD. They do no I/O and answer at once, even if
// the loop of a participant hangs.
func Livez(all ...Participant) http.Handler {
	return probe(func() error { return every(all, Participant.Health) })
}

// Readyz returns a handler for a readiness probe. It answers 200 if Readiness of every participant
// returns nil, and 503 with the reason otherwise.
func Readyz(all ...Participant) http.Handler {
	return probe(func() error { return every(all, Participant.Readiness) })
}

// Leaderz returns a handler that answers 200 while this process leads, and 503 otherwise. It
// is for a load balancer that sends requests to the leader only. Leadership may end right
// after the answer, so fence what another leader must not overlap.
func Leaderz(el *elector.Elector) http.Handler {
	return probe(func() error { return el.IsLeader(context.Background()) })
}

// every returns the errors of all participants that have one, with their ids.
func every(all []Participant, check func(Participant, context.Context) error) error {
	var faults []error
	for _, p := range all {
		if err := check(p, context.Background()); err != nil {
			faults = append(faults, errors.New(id(p)+": "+err.Error()))
		}
	}
	return errors.Join(faults...)
}

func id(p Participant) string {
	switch p := p.(type) {
	case *elector.Elector:
		return p.NodeID()
	case *member.Member:
		return p.ID()
	default:
		return fmt.Sprintf("%T", p)
	}
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
