package cli

import (
	"bytes"
	"context"
	"crypto/rand"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// execOn runs a command on a store "test:" and a clock.
func execOn(ctx context.Context, c elector.Clock, db kv.Database, args ...string) (stdout, stderr string, err error) {
	var out, errs bytes.Buffer
	a := &app{program: &program{stdout: &out, stderr: &errs, clock: c, random: rand.Reader, stores: []Store{storeOf(db)}}}
	err = a.exec(ctx, append(args, "--store", "test:"))
	return out.String(), errs.String(), err
}
