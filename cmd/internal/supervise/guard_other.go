//go:build !unix || aix || netbsd

package supervise

import (
	"errors"
	"log/slog"
	"os"

	"github.com/fdbelection/fdbelection/elector"
)

// guards is true if commands have a guard on this system. Here they have none, because
// there are no process groups, or no clock that all processes share.
const guards = false

// Guard returns ErrNoGuard, because there are no guards on this system.
func Guard(elector.Clock, *slog.Logger, []string, bool) error {
	return ErrNoGuard
}

func (c *Command) startGuarded(func(func(elector.Deadlines)) func(), []string, *slog.Logger) (running, error) {
	return nil, errors.ErrUnsupported
}

// guard, guarded and streams have no values on this system.
type (
	guard struct {
		gone chan struct{}
	}
	guarded struct {
		running
		begun chan struct{}
	}
	streams struct{ input, output *os.File }
)

func (c *Command) startGuard([]string, *streams) (*guard, error) { return nil, errors.ErrUnsupported }

func (g *guard) start(string, startOrder, *slog.Logger) (*guarded, error) {
	return nil, errors.ErrUnsupported
}

func (g *guard) until(string, elector.Deadlines) {}
func (g *guard) alive() bool                     { return false }
func (g *guard) close()                          {}
