package session

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/elector"
)

// program is one run of the command: its streams, its clock and its stores.
type Program struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Clock          elector.Clock
	Random         io.Reader // for nonces
	Stores         []Store   // besides file: and mem:
	// forced ends at the second interrupt.
	Forced     context.Context
	EndsItself atomic.Bool
}

// endItself says that the subcommand ends by itself when forced ends. Any other
// subcommand is not waited for.
func (a *Program) EndItself() { a.EndsItself.Store(true) }

// newNonce names one intended act, so that it can be run again.
func (a *Program) NewNonce() (uuid.UUID, error) {
	nonce, err := uuid.NewRandomFromReader(a.Random)
	if err != nil {
		return uuid.Nil, fmt.Errorf("draw a nonce: %w", err)
	}
	return nonce, nil
}

// show writes a value to stdout: as it is for scripts, or as the table that is
// made for people.
func (a *Program) Show(f output.Format, value any, table func() output.Table) error {
	switch f {
	case output.FormatJSON:
		return output.WriteJSON(a.Stdout, value)
	case output.FormatYAML:
		return output.WriteYAML(a.Stdout, value)
	default:
		return table().Write(a.Stdout, terminal.PaletteFor(a.Stdout))
	}
}

// showLines is show for a result that people read as lines of text.
func (a *Program) ShowLines(f output.Format, value any, text ...string) error {
	return a.Show(f, value, func() (t output.Table) {
		for _, line := range text {
			t.Rows = append(t.Rows, []string{line})
		}
		return t
	})
}

// NewProgress returns a progress bar on stderr. Call Done at the end.
func (a *Program) NewProgress() *terminal.Progress { return terminal.NewProgress(a.Stderr, a.Clock) }

// schemes returns the kinds of stores that this command can open.
func (a *Program) Schemes() []string {
	all := []string{"file", "mem"}
	for _, s := range a.Stores {
		all = append(all, s.Scheme)
	}
	return all
}
