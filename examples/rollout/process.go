package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// process is a process of the service.
type process struct {
	version string
	cmd     *exec.Cmd
	stdout  *bufio.Reader
}

// start starts this program as a process of the service. The end of ctx kills it.
func (d *deployment) start(ctx context.Context, version string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "serve", d.path, version)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{version: version, cmd: cmd, stdout: bufio.NewReader(stdout)}
	d.processes = append(d.processes, p)
	return p, nil
}

// kill ends the processes that still run.
func (d *deployment) kill() {
	for _, p := range d.processes {
		if p.cmd.Process.Kill() == nil {
			_ = p.cmd.Wait() // it says that the process was killed
		}
	}
}

func (p *process) terminate() error { return p.cmd.Process.Signal(syscall.SIGTERM) }

// wait waits until a process has ended. The error is its exit status.
func (p *process) wait() error {
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w", p.version, err)
	}
	return nil
}

// next reads the next line of a process, and returns the time in it.
func (p *process) next(want string) (time.Time, error) {
	line, err := p.stdout.ReadString('\n')
	if err != nil {
		return time.Time{}, fmt.Errorf("%s prints no further line: %w", p.version, err)
	}
	var what string
	var term uint64
	var at int64
	if _, err := fmt.Sscan(line, &what, &term, &at); err != nil || what != want {
		return time.Time{}, fmt.Errorf("%s prints %q instead of %q: %w", p.version, line, want, err)
	}
	return time.Unix(0, at), nil
}
