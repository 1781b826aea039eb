package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// requestView is what the process has seen of the request that stands.
type requestView struct {
	request election.Request
	rose    time.Time // when its counter was last seen to rise; zero: not yet
}

// saw handles a reading of the request. Readings come in any order: one with a lower
// counter is older.
func (v *requestView) saw(request *election.Request, now time.Time) {
	switch {
	case request.Kind == election.NoRequest:
	case request.Nonce != v.request.Nonce:
		*v = requestView{request: *request}
	case request.Counter > v.request.Counter:
		*v = requestView{request: *request, rose: now}
	}
}

// requestStands reports whether a request is about the present tenure and its author or
// target is alive. The target must not have timed out. The author of a preemption request
// must have raised its counter within the last two heartbeats.
func (m *Machine) requestStands(request *election.Request) bool {
	switch {
	case request.Kind == election.NoRequest || request.Term != m.tenure.token.Term:
		return false
	case request.Kind == election.ResignRequest:
		return true
	}
	if c := m.candidates.find(request.Identity); c != nil && m.timedOut(c) {
		return false
	}
	v := &m.request
	return request.Kind != election.PreemptionRequest || v.request.Nonce == request.Nonce && !v.rose.IsZero() &&
		m.now.Local.Sub(v.rose) <= 2*m.config.HeartbeatInterval
}
