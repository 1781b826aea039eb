package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// reading holds the flags of the subcommands that only read.
type reading struct {
	place
	timeout time.Duration
	output  string
}

func (r *reading) addFlags(cmd *cobra.Command) {
	r.place.addFlags(cmd)
	cmd.Flags().DurationVar(&r.timeout, "timeout", 5*time.Second, "how long to wait for the store")
	cmd.Flags().StringVarP(&r.output, "output", "o", "table", "table or json")
}

// read runs fn in one read transaction on the election that the flags name.
// The store must be there: reading creates nothing.
func read[T any](ctx context.Context, a *app, r *reading, fn func(e *election.LeaderElection, tr kv.ReadTransaction) (T, error)) (T, error) {
	var none T
	if r.output != "table" && r.output != "json" {
		return none, usage(fmt.Errorf("--output %s is unknown; use table or json", election.SafeText(r.output)))
	}
	if r.timeout <= 0 {
		return none, usage(fmt.Errorf("--timeout is %s; it has to be above zero", r.timeout))
	}
	e, err := r.resolve()
	if err != nil {
		return none, err
	}
	db, err := a.open(ctx, &r.place, true, r.timeout)
	if err != nil {
		return none, err
	}
	defer func() { _ = db.Close() }() // nothing was written
	ctx, cancel := clock.WithTimeout(ctx, a.clock, r.timeout)
	defer cancel()
	value, err := kv.ReadTransact(ctx, db, func(tr kv.ReadTransaction) (T, error) { return fn(e, tr) })
	return value, r.explain(err)
}

// explain adds to an error of a read what the reader can do about it.
func (r *reading) explain(err error) error {
	switch {
	case errors.Is(err, fdbelection.ErrNotInitialized):
		return fmt.Errorf("there is no election %s below %s in store %s; check --election and --root, or start one with \"fdbelect run\"",
			election.SafeText(r.name), election.SafeText(r.root), r.safe())
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("store %s did not answer within %s: %w", r.safe(), r.timeout, err)
	default:
		return err
	}
}

// writeJSON writes a value for machines to read. What a terminal could obey is
// escaped, beyond what JSON demands.
func writeJSON(w io.Writer, value any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err
	}
	var safe strings.Builder
	for _, r := range text.String() {
		switch {
		case r < 0x7f || unicode.IsPrint(r):
			safe.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&safe, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&safe, `\u%04x`, r)
		}
	}
	_, err := io.WriteString(w, safe.String())
	return err
}

// writeTable writes rows whose columns line up.
func writeTable(w io.Writer, rows [][]string) error {
	var text bytes.Buffer
	tw := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(tw, "\t")
			}
			fmt.Fprint(tw, cell)
		}
		fmt.Fprintln(tw)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := io.WriteString(w, strings.TrimRight(line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}
