//go:build unix

package supervise

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// forwarded are the signals that run passes on to the command.
var forwarded = []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}

func isForwarded(s os.Signal) bool { return slices.Contains(forwarded, s) }

// ForwardedSignals catches the signals for the command until stop is called. SIGHUP then
// does not end run. If the caller ignores SIGHUP, as nohup does, it stays ignored in run and
// in the command.
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

// SurviveClosedPipes catches SIGPIPE until stop is called, so that a closed stderr does not
// end a leader. It does not ignore the signal, because the command would inherit that.
func SurviveClosedPipes() (stop func()) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGPIPE)
	return func() { signal.Stop(caught) }
}
