//go:build unix

package supervise

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
)

// passedOn are the signals that are the command's business.
var passedOn = []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH}

func passesOn(s os.Signal) bool { return slices.Contains(passedOn, s) }

// passOn catches the signals for the command, until stop is called. A hang-up asks
// run itself for nothing any more then; one that the caller has had ignored, as
// nohup does, stays ignored, by the command too.
func ForwardedSignals() (signals <-chan os.Signal, stop func()) {
	mine := slices.Clone(passedOn)
	if signal.Ignored(syscall.SIGHUP) {
		mine = slices.DeleteFunc(mine, func(s os.Signal) bool { return s == syscall.SIGHUP })
	}
	caught := make(chan os.Signal, 16)
	signal.Reset(mine...)
	signal.Notify(caught, mine...)
	return caught, func() { signal.Stop(caught) }
}

// surviveClosedPipes keeps a leader alive whose reader has gone away: it goes on
// unread. A signal that is caught, unlike one that is ignored, is as usual again in
// the command that run starts.
func SurviveClosedPipes() (stop func()) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGPIPE)
	return func() { signal.Stop(caught) }
}
