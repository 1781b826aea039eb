package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// process is a process that the nemesis has started.
type process struct {
	cmd    *exec.Cmd
	orders io.WriteCloser
	exited chan struct{} // closed at its end
}

// startProcess starts a command, and writes into the diary when it starts and ends. Its stderr is
// appended to the file log.
func startProcess(d *diary, target, log string, argv []string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // the process has its own handle
	p := &process{cmd: exec.Command(argv[0], argv[1:]...), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = file, file
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.orders, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	at := clock.Boot()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	d.write(entry{Kind: up, At: at, Target: target})
	go func() {
		err := p.cmd.Wait()
		d.write(entry{Kind: down, At: clock.Boot(), Target: target, Text: fmt.Sprint(err)})
		close(p.exited)
	}()
	return p, nil
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) } // it may have ended

func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// order sends an order to a worker. The worker may have ended.
func (p *process) order(verb string, value float64) {
	fmt.Fprintf(p.orders, "%s %g\n", verb, value) //nolint:errcheck // as above
}

// end asks the process to end, and kills it after a limit.
func (p *process) end(limit time.Duration) {
	p.signal(syscall.SIGCONT)
	p.signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(limit):
		p.signal(syscall.SIGKILL)
		<-p.exited
	}
}

// childOf returns the process id of the first child of a process, or 0.
func childOf(pid int) int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is valid
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ") // after the name, which may hold anything
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[0] == "Z" || fields[1] != strconv.Itoa(pid) {
			continue
		}
		if id, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil {
			return id
		}
	}
	return 0
}
