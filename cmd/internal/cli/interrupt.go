package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/elector"
)

// Main runs the command as the process, and returns its exit code. SIGINT, SIGTERM and
// SIGHUP ask it to stop, and a second one ends it at once. stores are available besides
// file: and mem:.
func Main(stores ...session.Store) int {
	ctx, stop := signal.NotifyContext(context.Background(), interrupts()...)
	defer stop()
	caught := make(chan os.Signal, 2)
	signal.Notify(caught, interrupts()...)
	a := newApp(os.Stdin, os.Stdout, os.Stderr, stores)
	var force context.CancelFunc
	a.Forced, force = context.WithCancel(context.Background())
	go awaitSecond(a.Clock, caught, force)
	ended := make(chan error, 1)
	go func() { ended <- a.exec(ctx, os.Args[1:]) }()
	select {
	case err := <-ended:
		return exit.Code(err)
	case <-a.Forced.Done():
		if !a.EndsItself.Load() {
			return exit.CodeInterrupted
		}
		return exit.Code(<-ended)
	}
}

// interrupts are the signals that ask the command to stop. If the caller has SIGHUP
// ignored, as nohup does, it stays ignored.
func interrupts() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// sameInterrupt is how soon after an interrupt another one counts as the same: a terminal
// sends it to a complete process group, and a parent in that group, such as timeout, may
// forward it.
const sameInterrupt = 250 * time.Millisecond

// awaitSecond calls force at the second interrupt.
func awaitSecond(c elector.Clock, caught <-chan os.Signal, force func()) {
	<-caught
	for first := c.Now(); c.Now().Sub(first) < sameInterrupt; {
		<-caught
	}
	force()
}
