package cli

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// A read that timed out says so once, and what else there is to say.
func TestNoAnswerIsSaidOnce(t *testing.T) {
	x := &access{place: place{spec: "fdb:x"}, timeout: 5 * time.Second}
	const text = "store fdb:x did not answer within 5s"
	for _, c := range []struct {
		err  error
		want string
	}{
		{context.DeadlineExceeded, text},
		{kv.Error{Code: kv.CodeTransactionCancelled, Err: context.DeadlineExceeded}, text},
		{fmt.Errorf("another program holds the file: %w", context.DeadlineExceeded), text + ": another program holds the file: context deadline exceeded"},
	} {
		err := x.explain(c.err)
		require.EqualError(t, err, c.want)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, exitTimedOut, ExitCode(err))
	}
}
