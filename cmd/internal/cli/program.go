package cli

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/elector"
)

// program is one run of the command: its streams, its clock and its stores.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	clock          elector.Clock
	random         io.Reader // for nonces
	stores         []Store   // besides file: and mem:
	// forced ends at the second interrupt.
	forced     context.Context
	endsItself atomic.Bool
}

// endItself says that the subcommand ends by itself when forced ends. Any other
// subcommand is not waited for.
func (a *program) endItself() { a.endsItself.Store(true) }

// newNonce names one intended act, so that it can be run again.
func (a *program) newNonce() (uuid.UUID, error) {
	nonce, err := uuid.NewRandomFromReader(a.random)
	if err != nil {
		return uuid.Nil, fmt.Errorf("draw a nonce: %w", err)
	}
	return nonce, nil
}

// show writes a value to stdout: as it is for scripts, or as the table that is
// made for people.
func (a *program) show(f format, value any, table func() table) error {
	switch f {
	case formatJSON:
		return writeJSON(a.stdout, value)
	case formatYAML:
		return writeYAML(a.stdout, value)
	default:
		return table().write(a.stdout, paletteFor(a.stdout))
	}
}

// showLines is show for a result that people read as lines of text.
func (a *program) showLines(f format, value any, text ...string) error {
	return a.show(f, value, func() (t table) {
		for _, line := range text {
			t.rows = append(t.rows, []string{line})
		}
		return t
	})
}

// newProgress returns a line on stderr. End it with done.
func (a *program) newProgress() *progress {
	p := &progress{clock: a.clock}
	if isTerminal(a.stderr) {
		p.out = a.stderr
	}
	return p
}

// schemes returns the kinds of stores that this command can open.
func (a *program) schemes() []string {
	all := []string{"file", "mem"}
	for _, s := range a.stores {
		all = append(all, s.Scheme)
	}
	return all
}
