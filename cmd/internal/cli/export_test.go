package cli

import (
	"context"
	"io"

	"github.com/fdbelection/fdbelection/elector"
)

// ExecOn is Exec on another clock.
func ExecOn(ctx context.Context, c elector.Clock, args []string, stdout, stderr io.Writer) error {
	a := newApp(nil, stdout, stderr, nil)
	a.clock = c
	return a.exec(ctx, args)
}
