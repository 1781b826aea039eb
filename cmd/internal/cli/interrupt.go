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

// Main runs the command as a process of its own, and returns its exit code. SIGINT,
// SIGTERM and SIGHUP ask it to stop, and a second one ends it at once. The stores are
// those that the program has besides its own.
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

// interrupts are the signals that ask the command to stop. A hang-up that the caller
// ignores, as nohup does, stays ignored.
func interrupts() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// sameInterrupt is how soon after the first interrupt another one is taken for the same:
// a terminal sends it to a whole process group, and a parent in that group, such as
// timeout, may pass it on.
const sameInterrupt = 250 * time.Millisecond

// awaitSecond calls force at the second interrupt.
func awaitSecond(c elector.Clock, caught <-chan os.Signal, force func()) {
	<-caught
	for first := c.Now(); c.Now().Sub(first) < sameInterrupt; {
		<-caught
	}
	force()
}
