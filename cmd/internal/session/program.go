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

// Program is one run of the command: its streams, its clock and its stores.
type Program struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Clock          elector.Clock
	Random         io.Reader // for nonces
	Stores         []Store   // besides file: and mem:
	// Forced ends at the second interrupt.
	Forced context.Context
	// EndsItself says that the subcommand ends by itself when Forced ends. The program does
	// not wait for any other subcommand.
	EndsItself atomic.Bool
}

// EndItself sets EndsItself.
func (p *Program) EndItself() { p.EndsItself.Store(true) }

// NewNonce returns a nonce for one change, by which a retry recognises it.
func (p *Program) NewNonce() (uuid.UUID, error) {
	nonce, err := uuid.NewRandomFromReader(p.Random)
	if err != nil {
		return uuid.Nil, fmt.Errorf("draw a nonce: %w", err)
	}
	return nonce, nil
}

// Show writes a value to stdout: as JSON or YAML, or as its table.
func (p *Program) Show(f output.Format, value any, table func() output.Table) error {
	switch f {
	case output.FormatJSON:
		return output.WriteJSON(p.Stdout, value)
	case output.FormatYAML:
		return output.WriteYAML(p.Stdout, value)
	default:
		return table().Write(p.Stdout, terminal.PaletteFor(p.Stdout))
	}
}

// ShowLines is Show for a result whose table is lines of text.
func (p *Program) ShowLines(f output.Format, value any, text ...string) error {
	return p.Show(f, value, func() (t output.Table) {
		for _, line := range text {
			t.Rows = append(t.Rows, []string{line})
		}
		return t
	})
}

// NewProgress returns a progress bar on stderr. Call Done at the end.
func (p *Program) NewProgress() *terminal.Progress { return terminal.NewProgress(p.Stderr, p.Clock) }

// Schemes returns the kinds of stores that this command can open.
func (p *Program) Schemes() []string {
	all := []string{"file", "mem"}
	for _, s := range p.Stores {
		all = append(all, s.Scheme)
	}
	return all
}
