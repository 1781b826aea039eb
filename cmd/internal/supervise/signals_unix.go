//go:build unix

package supervise

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// forwarded are the signals that are meant for the command.
var forwarded = []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}

func isForwarded(s os.Signal) bool { return slices.Contains(forwarded, s) }

// ForwardedSignals catches the signals for the command until stop is called. SIGHUP does
// not end run then. If the caller has it ignored, as nohup does, run and the command
// ignore it too.
func ForwardedSignals() (signals <-chan os.Signal, stop func()) {
	mine := slices.Clone(forwarded)
	if signal.Ignored(syscall.SIGHUP) {
		mine = slices.DeleteFunc(mine, func(s os.Signal) bool { return s == syscall.SIGHUP })
	}
	caught := make(chan os.Signal, 16)
	signal.Reset(mine...)
	signal.Notify(caught, mine...)
	return caught, func() { signal.Stop(caught) }
}

// SurviveClosedPipes keeps this process alive if the reader of its output goes away. It
// catches SIGPIPE instead of ignoring it, so that the command has the default action
// again.
func SurviveClosedPipes() (stop func()) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGPIPE)
	return func() { signal.Stop(caught) }
}
