//go:build !unix || aix || netbsd

package supervise

import (
	"errors"
	"log/slog"

	"github.com/fdbelection/fdbelection/elector"
)

// guards is whether commands have a guard here: there are no process groups, or
// no clock that the processes of a machine share.
const guards = false

// ErrNoGuard says that there are no guards on this system.
func Guard(elector.Clock, *slog.Logger, []string) error {
	return ErrNoGuard
}

func (c *Command) startGuarded(func(func(elector.Deadlines)) func(), []string, *slog.Logger) (running, error) {
	return nil, errors.ErrUnsupported
}
