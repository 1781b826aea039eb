//go:build !unix || aix || netbsd

package supervise

import (
	"errors"
	"log/slog"

	"github.com/fdbelection/fdbelection/elector"
)

// guards is true if commands have a guard on this system. Here they have none, because
// there are no process groups, or no clock that all processes share.
const guards = false

// Guard returns ErrNoGuard, because there are no guards on this system.
func Guard(elector.Clock, *slog.Logger, []string) error {
	return ErrNoGuard
}

func (c *Command) startGuarded(func(func(elector.Deadlines)) func(), []string, *slog.Logger) (running, error) {
	return nil, errors.ErrUnsupported
}
