package supervise

import (
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"time"
)

// direct is a command without a guard. A subscriber needs no guard, because it has no
// deadline, and some systems have no guards.
type direct struct {
	cmd   *exec.Cmd
	ended chan ending
}

func (c *Command) startDirect(env []string, log *slog.Logger) (running, error) {
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Env = c.Stdout, c.Stderr, env
	cmd.WaitDelay = outputDelay
	ended, started := make(chan error, 1), make(chan error, 1)
	go StartAndWait(cmd, started, ended)
	if err := <-started; err != nil {
		return nil, err
	}
	c.begun(log, cmd.Process.Pid)
	d := &direct{cmd: cmd, ended: make(chan ending, 1)}
	go func() {
		err := <-ended
		KillGroup(cmd) // the processes that the command left behind
		d.ended <- ending{pid: cmd.Process.Pid, err: c.failure(err)}
	}()
	return d, nil
}

func (d *direct) done() <-chan ending { return d.ended }

func (d *direct) terminate() { terminateGroup(d.cmd) }

func (d *direct) kill() { KillGroup(d.cmd) }

func (d *direct) limit(time.Time) {} // there is no guard

func (d *direct) forward(s os.Signal) { _ = d.cmd.Process.Signal(s) } // the command may have ended

// failure turns the result of exec.Cmd.Wait into an *Error, or nil if the command
// succeeded.
func (c *Command) failure(err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case errors.As(err, &exit):
		return &Error{
			name: c.Args[0], Code: exitCodeOf(exit.ProcessState), how: exit.String(), killed: killedByForce(exit.ProcessState),
		}
	default:
		return &Error{name: c.Args[0], Code: failure, how: err.Error()}
	}
}
