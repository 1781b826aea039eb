package election

import (
	"fmt"
	"io"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/subspace"
)

// LeaderElection is one election, in one subspace. It holds the keys of its
// records. All that it remembers is which candidates EvictDeadCandidates has seen,
// and since when. It is safe for concurrent use if its source of randomness is.
type LeaderElection struct {
	keys   keys
	random io.Reader
	clock  Clock
	silent *heartbeatAges
}

// Option changes how New builds a LeaderElection.
type Option func(*LeaderElection)

// WithRandom sets the source of the nonces that name tenures. Without it they
// come from crypto/rand. A simulation gives a seeded one.
func WithRandom(source io.Reader) Option {
	return func(e *LeaderElection) { e.random = source }
}

// New returns the election that lives in space, and in nothing else. It does
// no I/O; Initialize makes the election itself.
func New(space subspace.Subspace, opts ...Option) *LeaderElection {
	e := &LeaderElection{keys: newKeys(space), silent: &heartbeatAges{}}
	for _, opt := range opts {
		opt(e)
	}
	if e.clock.Now == nil {
		e.clock = ProcessClock()
	}
	if e.clock.Run == uuid.Nil {
		e.clock.Run = ProcessClock().Run
	}
	return e
}

// Subspace returns where the election lives.
func (e *LeaderElection) Subspace() subspace.Subspace { return e.keys.space }

// newNonce draws the name of a tenure.
func (e *LeaderElection) newNonce() (uuid.UUID, error) {
	var nonce uuid.UUID
	var err error
	if e.random == nil {
		nonce, err = uuid.NewRandom()
	} else {
		nonce, err = uuid.NewRandomFromReader(e.random)
	}
	if err != nil {
		return uuid.Nil, fmt.Errorf("draw the nonce of a tenure: %w", err)
	}
	return nonce, nil
}
