package probe

import (
	"context"
	"errors"
	"os/exec"
	"runtime"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/supervise"
)

// outputDelay is how long processes that a check left behind may keep its output open.
const outputDelay = 100 * time.Millisecond

// Shell returns the arguments that run a script in the shell of the system.
func Shell(script string) []string {
	if runtime.GOOS == "windows" {
		return []string{"cmd", "/C", script}
	}
	return []string{"sh", "-c", script}
}

// Command returns a check that runs a command. Exit code 0 means ready. The last line that
// the command prints is part of the reason. The command runs in a process group of its own,
// which is killed when the command has ended or ctx ends. If it cannot be killed, because
// the kernel waits for a disk, the check fails and does not start it again.
func Command(args, env []string) Check {
	c := command{args: args, env: env}
	return c.check
}

type command struct {
	args, env []string
	unended   <-chan struct{} // of the last check that was killed, closed when its command has ended
}

func (c *command) check(ctx context.Context) error {
	if !c.ended() {
		return errors.New("the last check was killed and has not ended")
	}
	var output tail
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = c.env, &output, &output, outputDelay
	started, ended, over := make(chan error, 1), make(chan error, 1), make(chan struct{})
	go func() {
		defer close(over)
		supervise.StartAndWait(cmd, started, ended)
	}()
	select {
	case err := <-started:
		if err != nil {
			return err
		}
	case <-ctx.Done(): // the disk of the program may hang
		c.unended = over
		go killOnceStarted(cmd, started)
		return errors.New("it did not start in time")
	}
	select {
	case err := <-ended:
		supervise.KillGroup(cmd) // the processes that it left behind
		return failure(err, &output)
	case <-ctx.Done():
		c.unended = over
		supervise.KillGroup(cmd)
		return errors.New(output.after("it did not end in time"))
	}
}

// ended reports whether every command that was killed has ended.
func (c *command) ended() bool {
	if c.unended == nil {
		return true
	}
	select {
	case <-c.unended:
		return true
	default:
		return false
	}
}

func killOnceStarted(cmd *exec.Cmd, started <-chan error) {
	if <-started == nil {
		supervise.KillGroup(cmd)
	}
}

// failure turns the result of exec.Cmd.Wait into the result of a check.
func failure(err error, output *tail) error {
	if err == nil || errors.Is(err, exec.ErrWaitDelay) { // the exit code was 0
		return nil
	}
	return errors.New(output.after(err.Error()))
}
