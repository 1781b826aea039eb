//go:build unix && !linux && !aix && !netbsd

package cli

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// machineClock is what all processes of the machine agree on: the time since some
// moment, by a clock that nobody sets.
func machineClock() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // every system has it
	return time.Duration(t.Nano())
}

func ownProgram() (string, error) { return os.Executable() }

func adopt() {}

func callItself(string) {}
