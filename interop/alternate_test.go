package interop

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// Go and Python lead in turn. Each renews, accepts and ends what the other has written.
func TestGoAndPythonAlternate(t *testing.T) {
	require.NoError(t, alternate(t.Context(), newPython(t, "python")))
}

func alternate(ctx context.Context, program *python) error {
	w, err := newWorld(ctx, program, 1, fdbelection.DefaultConfig())
	if err != nil {
		return err
	}
	a, b := w.process("a", 5, election.Voter), w.process("b", -300, election.Voter)
	for i, act := range []struct {
		name     string
		by       *process
		inGo     bool
		after    int // seconds
		possible bool
	}{
		{"register", a, true, 0, true},
		{"register", b, false, 0, true},
		{"claim", a, false, 0, true},     // Python claims what was never held
		{"renew", a, true, 3, true},      // Go renews it
		{"renew", a, false, 3, true},     // and Python again
		{"heartbeat", b, false, 1, true}, // b sees the leader with Python
		{"claim", b, true, 1, false},
		{"heartbeat", b, true, 9, true},
		{"claim", b, true, 0, true}, // and knows with Go that the lease has expired
		{"renew", a, false, 0, false},
		{"resign", a, false, 0, false},
		{"renew", b, false, 2, true}, // Python renews the claim of Go
		{"resign", b, false, 1, true},
		{"resign", b, true, 1, false},
		{"claim", a, true, 1, true},
		{"claim", a, false, 11, true}, // a reclaim, since a's own lease is over
		{"resign", a, true, 1, true},
		{"claim", b, false, 1, true},
		{"comply", b, true, 1, true},
		{"claim", b, false, 1, false}, // Python holds off, since b has just resigned on request
		{"claim", b, true, 1, false},
		{"claim", b, false, 8, true},
	} {
		w.now = w.now.Add(time.Duration(act.after) * time.Second)
		var possible bool
		if act.name == "comply" {
			possible, err = true, w.comply(act.by)
		} else {
			possible, err = w.take(step{act.name, act.by, w.uuid()}, act.inGo)
		}
		if err == nil && possible != act.possible {
			err = fmt.Errorf("possible: %v", possible)
		}
		if err == nil {
			err = w.check()
		}
		if err != nil {
			return fmt.Errorf("act %d, %s by %s: %w", i, act.name, act.by.ID, err)
		}
	}
	return nil
}

// comply asks the leader to resign, and lets its next cycle in Go do so.
func (w *world) comply(leader *process) error {
	return w.db.Transact(w.ctx, func(tr kv.Transaction) error {
		if err := election.New(space).RequestResign(tr, w.ledger.term, w.uuid()); err != nil {
			return err
		}
		result, err := w.library(leader, w.uuid()).RunElectionCycle(tr, leader.Registration, w.wall(leader), election.WorkEnded())
		if err == nil && result.Action != election.Vacated {
			err = fmt.Errorf("it %s", result.Action)
		}
		return err
	})
}
