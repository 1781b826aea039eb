package session

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/kv"
)

// TestTimeoutsAreReportedOnce: a read that timed out says so once, with its cause if that
// says more.
func TestTimeoutsAreReportedOnce(t *testing.T) {
	x := &Access{Place: Place{Spec: "fdb:x"}, Timeout: 5 * time.Second}
	const text = "store fdb:x did not answer within 5s"
	for _, c := range []struct {
		err  error
		want string
	}{
		{context.DeadlineExceeded, text},
		{kv.Error{Code: kv.CodeTransactionCancelled, Err: context.DeadlineExceeded}, text},
		{fmt.Errorf("another program holds the file: %w", context.DeadlineExceeded), text + ": another program holds the file: context deadline exceeded"},
	} {
		err := x.Explain(c.err)
		require.EqualError(t, err, c.want)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, exit.CodeTimedOut, exit.Code(err))
	}
}
