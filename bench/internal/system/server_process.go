package system

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"
)

// serverProcess is a server that runs beside the benchmark. It ends with the benchmark.
type serverProcess struct {
	cmd     *exec.Cmd
	stop    syscall.Signal // ends the server and its children at once
	done    chan struct{}
	log     string // path of what the server printed
	version string
	address string
}

// startProcess starts a program. ready says whether the server answers, and may set its version.
// The server must end at the signal stop. It also gets it if the benchmark is killed. Linux sends it
// when the thread that started the server ends, so that thread does nothing else.
func startProcess(ctx context.Context, s Settings, p *serverProcess, ready func(context.Context) error) (*serverProcess, error) {
	p.log, p.done = filepath.Join(s.Dir, filepath.Base(p.cmd.Path)+".log"), make(chan struct{})
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the server has a descriptor of its own
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if p.cmd.SysProcAttr == nil {
		p.cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	p.cmd.SysProcAttr.Pdeathsig = p.stop
	started := make(chan error)
	go func() {
		defer close(p.done)
		runtime.LockOSThread() // without an unlock, the thread ends with this function
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // a signal ends it
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	if err := p.await(ctx, ready); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// startPatience is how long a server may take to answer. A JVM on a busy machine needs seconds.
const startPatience = 60 * time.Second

func (p *serverProcess) await(ctx context.Context, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			printed, _ := os.ReadFile(p.log)
			return fmt.Errorf("%s ended before it answered: %s", p.cmd.Path, strings.TrimSpace(string(printed)))
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", p.cmd.Path, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *serverProcess) Version() string { return p.version }
func (p *serverProcess) Address() string { return p.address }

// PIDs returns the server and all of its descendants.
func (p *serverProcess) PIDs() []int {
	children := map[int][]int{}
	all, err := procfs.AllProcs()
	if err != nil {
		return []int{p.cmd.Process.Pid}
	}
	for _, one := range all {
		if stat, err := one.Stat(); err == nil { // it may have ended
			children[stat.PPID] = append(children[stat.PPID], one.PID)
		}
	}
	pids := []int{p.cmd.Process.Pid}
	for i := 0; i < len(pids); i++ {
		pids = append(pids, children[pids[i]]...)
	}
	return pids
}

// Close ends the server and waits for it.
func (p *serverProcess) Close() error {
	if err := p.cmd.Process.Signal(p.stop); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(10 * time.Second):
		defer func() { <-p.done }()
		return p.cmd.Process.Kill()
	}
}

// freeAddress returns a port of loopback on which no program listens.
func freeAddress() (address, port string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	address = l.Addr().String()
	_, port, err = net.SplitHostPort(address)
	return address, port, errors.Join(err, l.Close())
}

// absent says which package of Debian has a program. It returns "" if the program is installed.
func absent(program, debian string) string {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Sprintf("%s is not installed (Debian package %s)", program, debian)
	}
	return ""
}
