package bench

import (
	"context"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// execOn runs this subcommand on a store "test:" and a clock.
func execOn(ctx context.Context, c elector.Clock, db kv.Database, args ...string) (stdout, stderr string, err error) {
	return clitest.ExecOn(ctx, c, db, Command, args...)
}
