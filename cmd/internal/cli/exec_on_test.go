package cli

import (
	"bytes"
	"context"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// execOn runs a command on a store "test:" and a clock.
func execOn(ctx context.Context, c elector.Clock, db kv.Database, args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	a := &app{Program: clitest.NewProgram(c, &out, &errs, clitest.StoreOf(db))}
	err = a.exec(ctx, append(args, "--store", "test:"))
	return out.String(), errs.String(), err
}
