package exit

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/supervise"
	"github.com/fdbelection/fdbelection/kv"
)

// The codes of usage, of commands and of stores that cannot be opened are in
// the scripts.
func TestExitCode(t *testing.T) {
	for want, errs := range map[int][]error{
		0: {nil},
		1: {errors.New("anything"), fdbelection.ErrNotInitialized, &fdbelection.InvalidStateError{}},
		3: {fdbelection.ErrNotLeader, fmt.Errorf("resign: %w", fdbelection.ErrNotLeader), fdbelection.ErrFenced},
		4: {kv.Error{Code: kv.CodeIOError}, fmt.Errorf("read: %w", kv.Error{Code: kv.CodeDatabaseLocked})},
		5: {context.DeadlineExceeded, kv.Error{Code: kv.CodeTransactionCancelled, Err: context.DeadlineExceeded}},
		7: {&supervise.Error{Code: 7}, errors.Join(&supervise.Error{Code: 7}, fdbelection.ErrNotLeader)},
		// With the error of a command that ended meanwhile as well: a supervisor must not
		// start it again.
		79: {fmt.Errorf("register: %w", fdbelection.ErrDuplicateID), errors.Join(&supervise.Error{Code: 7}, fdbelection.ErrDuplicateID)},
	} {
		for _, err := range errs {
			require.Equal(t, want, Code(err), "%v", err)
		}
	}
}
