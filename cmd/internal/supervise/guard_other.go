//go:build !unix || aix || netbsd

package supervise

import (
	"errors"
	"log/slog"

	"github.com/fdbelection/fdbelection/elector"
)

// guards is false: this system has no process groups, or no clock that all processes of
// the machine share.
const guards = false

// Guard returns ErrNoGuard.
func Guard(elector.Clock, *slog.Logger, []string) error {
	return ErrNoGuard
}

func (c *Command) startGuarded(func(func(elector.Deadlines)) func(), []string, *slog.Logger) (running, error) {
	return nil, errors.ErrUnsupported
}
