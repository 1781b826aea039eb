package election

import (
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/subspace"
)

// LeaderElection is one election in one subspace. It remembers nothing between two calls,
// except the heartbeats that EvictDeadCandidates has seen. It is safe for concurrent use if
// its source of randomness is.
type LeaderElection struct {
	keys       keys
	random     io.Reader
	clock      Clock
	heartbeats *heartbeatAges
}

// Option changes how New builds a LeaderElection.
type Option func(*LeaderElection)

// WithRandom sets the source of the nonces that name tenures and preemption requests. The
// default is crypto/rand. A simulation passes a seeded one.
func WithRandom(source io.Reader) Option {
	return func(e *LeaderElection) { e.random = source }
}

// New returns the election in a subspace. It does no I/O. Initialize creates the election in
// the database.
func New(space subspace.Subspace, opts ...Option) *LeaderElection {
	e := &LeaderElection{keys: newKeys(space), heartbeats: &heartbeatAges{}}
	for _, opt := range opts {
		opt(e)
	}
	if e.clock.Now == nil {
		process := processClock()
		e.clock.Run, e.clock.Now = process.Run, process.Now
	}
	if e.clock.Wall == nil {
		e.clock.Wall = clock.Wall
	}
	if e.clock.AfterFunc == nil {
		e.clock.AfterFunc = clock.AfterFunc
	}
	if e.clock.Run == uuid.Nil {
		e.clock.Run = processClock().Run
	}
	return e
}

// Subspace returns the subspace of the election.
func (e *LeaderElection) Subspace() subspace.Subspace { return e.keys.space }

// newNonce draws the nonce of a tenure or a preemption request.
func (e *LeaderElection) newNonce() (uuid.UUID, error) {
	var nonce uuid.UUID
	var err error
	if e.random == nil {
		nonce, err = uuid.NewRandom()
	} else {
		nonce, err = uuid.NewRandomFromReader(e.random)
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("draw a nonce: %w", err)
	}
	return nonce, nil
}
