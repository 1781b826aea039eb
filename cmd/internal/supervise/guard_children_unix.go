//go:build unix && !aix && !netbsd

package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// childrenEnd returns a pipe that can be read after a child of this process has ended.
func childrenEnd() (fd int, stop func(), err error) {
	read, write, err := os.Pipe()
	if err != nil {
		return 0, nil, err
	}
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-ended:
				_, _ = write.Write([]byte{0}) // a full pipe wakes the reader as well
			case <-done:
				return
			}
		}
	}()
	return int(read.Fd()), func() {
		signal.Stop(ended)
		close(done)
		_ = read.Close()
	}, nil
}

// start starts a command, unless its deadlines have passed.
func (g *guardProcess) start(o order, now time.Duration) {
	if o.session != g.session || now >= g.stop {
		g.send(report{verb: reportCut, child: o.child})
		g.send(report{verb: reportExited, child: o.child})
		return
	}
	pid, err := g.startCommand(o.start)
	if err != nil {
		g.send(report{verb: reportFailed, child: o.child, text: err.Error()})
		return
	}
	g.children[o.child] = &guardChild{guardState: guardState{deadlines: g.deadlines}, number: o.child, session: o.session, pid: pid}
	g.send(report{verb: reportStarted, child: o.child, number: pid})
}

// startCommand starts a command in a process group of its own.
func (g *guardProcess) startCommand(s startOrder) (pid int, err error) {
	argv := filled(g.argv, s.Fill)
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return 0, err
	}
	files := []uintptr{inputFile, outputFile, 2}
	if g.streams {
		defer func() { // the end of either side must be seen on the other one
			_ = syscall.Close(inputFile)
			_ = syscall.Close(outputFile)
			g.streams = false
		}()
	} else {
		null, err := os.Open(os.DevNull)
		if err != nil {
			return 0, err
		}
		defer null.Close() //nolint:errcheck // nothing was written
		files = []uintptr{null.Fd(), 1, 2}
	}
	attr := &syscall.SysProcAttr{Setpgid: true}
	killWithParent(attr)
	pid, err = syscall.ForkExec(path, argv, &syscall.ProcAttr{Env: environment(s.Env), Files: files, Sys: attr})
	switch {
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOMEM):
		return 0, fmt.Errorf("%s: %w: this machine allows no more processes; raise the limit (ulimit -u, or pids.max of the control group), or run fewer commands", path, err)
	case err != nil:
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return pid, nil
}

// environment returns the variables of this process and more, which replace them.
func environment(more []string) []string {
	own := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.ContainsFunc(more, func(one string) bool { return strings.HasPrefix(one, name+"=") })
	})
	return append(own, more...)
}

// reap waits for children that have ended, also for orphans of the commands. After a command has
// exited, the rest of its process group is killed and waited for.
func (g *guardProcess) reap() {
	for {
		var s syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &s, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			break
		}
		for _, child := range g.children {
			if child.pid == pid && !child.exited && (s.Exited() || s.Signaled()) {
				child.exited, child.status, child.since = true, s, g.clock.Now()
			}
		}
	}
	for _, child := range g.children {
		if child.exited && g.groupEnded(child) {
			delete(g.children, child.number)
			g.ended(child)
		}
	}
}

// groupEnded kills the process group of a command that has exited, and reports whether it has
// ended. It gives up after groupTimeout if no process of the group is a child of this one.
func (g *guardProcess) groupEnded(child *guardChild) bool {
	if syscall.Kill(-child.pid, syscall.SIGKILL) != nil {
		return true
	}
	_, err := syscall.Wait4(-child.pid, nil, syscall.WNOHANG, nil)
	return errors.Is(err, syscall.ECHILD) && g.clock.Now().Sub(child.since) > groupTimeout
}

// ended reports the end of a command.
func (g *guardProcess) ended(child *guardChild) {
	r := report{verb: reportExited, child: child.number}
	if child.status.Signaled() {
		r = report{verb: reportSignaled, child: child.number, number: int(child.status.Signal())}
	} else {
		r.number = child.status.ExitStatus()
	}
	g.send(r)
	if g.orphan { // the supervisor cannot log the end
		g.outlived = append(g.outlived, ending{pid: child.pid, err: (&Command{Args: g.argv}).reported(r)})
	}
}

// logOutlived logs the commands that ended after the supervisor.
func (g *guardProcess) logOutlived() {
	if len(g.outlived) == 1 {
		g.outlived[0].log(g.log, causeOrphaned)
		return
	}
	killed := 0
	for _, end := range g.outlived {
		if WasKilled(end.err) {
			killed++
		}
	}
	if len(g.outlived) > 0 {
		g.log.Log(context.Background(), slog.LevelWarn, "commands ended", "count", len(g.outlived), "killed", killed, "cause", causeOrphaned)
	}
}
