//go:build unix

package supervise_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

// workerName is the name under which the test binary is the command of "fdbelect run". Its
// arguments are one of the ways to work and the directory of its journal.
const workerName = "electionworker"

// The ways to work.
const (
	// workAlone holds an exclusive lock until it is killed. It ignores SIGTERM.
	workAlone = "alone"
	// workDraining is like workAlone, but ends after SIGTERM and drainTime.
	workDraining = "draining"
	// workFenced writes to the store with its fencing token until a write is refused.
	workFenced = "fenced"
)

// drainTime is how long workDraining takes to end after SIGTERM.
const drainTime = 3 * time.Second

// sink is the key that workFenced writes.
var sink = []byte("sink")

// workerCommands are the commands that this test binary can be.
var workerCommands = map[string]func(){workerName: func() {
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, workerName+":", err)
		os.Exit(1)
	}
}, "stuck": func() {
	forever := make(chan os.Signal, 1)
	signal.Notify(forever, syscall.SIGUSR1)
	<-forever
}}

// work is the main function of the worker.
func work() error {
	how, dir := os.Args[1], os.Args[2]
	if how == workFenced {
		return workUnderFence(dir)
	}
	return workWithLock(how, dir)
}

// appendJournal appends a line to the journal in one write.
func appendJournal(dir, format string, args ...any) error {
	f, err := os.OpenFile(filepath.Join(dir, "journal"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(fmt.Sprintf(format, args...) + "\n")
	return err
}

func workWithLock(how, dir string) error {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	began := time.Now()
	overlap := time.Duration(0)
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
			return err
		}
		overlap = max(time.Since(began), 1)
	}
	if err := appendJournal(dir, "began %s %s %d %d %d", os.Getenv("FDBELECT_NODE_ID"), os.Getenv("FDBELECT_TERM"),
		os.Getpid(), os.Getppid(), overlap); err != nil {
		return err
	}
	if how == workAlone {
		for range asked { // ignore SIGTERM
		}
	}
	<-asked
	<-time.After(drainTime)
	return appendJournal(dir, "drained %s", os.Getenv("FDBELECT_NODE_ID"))
}

func workUnderFence(dir string) error {
	token, err := election.ParseToken(os.Getenv("FDBELECT_TOKEN"))
	if err != nil {
		return err
	}
	file, _ := strings.CutPrefix(os.Getenv("FDBELECT_STORE"), "file:")
	db, err := filekv.Open(file, filekv.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer db.Close()
	path := append(strings.Split(os.Getenv("FDBELECT_ROOT"), "/"), os.Getenv("FDBELECT_ELECTION"))
	e := election.New(subspace.New(path...))
	for n := 0; ; n++ {
		err := db.Transact(context.Background(), func(tr kv.Transaction) error {
			if err := e.RequireLeadership(tr, token); err != nil {
				return err
			}
			tr.Set(sink, []byte(token.Text()))
			return nil
		})
		switch {
		case errors.Is(err, fdbelection.ErrFenced):
			return appendJournal(dir, "fenced %s %d", token.ID, os.Getpid())
		case err == nil && n == 0:
			if err := appendJournal(dir, "wrote %s %d %d", token.ID, os.Getpid(), os.Getppid()); err != nil {
				return err
			}
		}
		<-time.After(20 * time.Millisecond)
	}
}

// workers are the commands of a test. They write their journal to dir.
type workers struct{ dir string }

func newWorkers(t *testing.T) workers {
	t.Helper()
	w := workers{t.TempDir()}
	t.Cleanup(func() {
		if t.Failed() {
			w.kill(t)
		}
	})
	return w
}

// kill ends workers that no guard has ended.
func (w workers) kill(t *testing.T) {
	t.Helper()
	for _, l := range w.lives(t) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", l.pid))
		if err == nil && bytes.Contains(line, []byte(w.dir)) {
			_ = syscall.Kill(l.pid, syscall.SIGKILL) // it may have ended
		}
	}
}

// args returns the arguments with which "fdbelect run" starts a worker.
func (w workers) args(how string) []string { return []string{"--", workerName, how, w.dir} }

// lines returns the lines of the journal that begin with a word, without that word.
func (w workers) lines(t *testing.T, word string) []string {
	t.Helper()
	f, err := os.Open(filepath.Join(w.dir, "journal"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	defer f.Close()
	var found []string
	for scanner := bufio.NewScanner(f); scanner.Scan(); {
		if rest, ok := strings.CutPrefix(scanner.Text(), word+" "); ok {
			found = append(found, rest)
		}
	}
	return found
}

// life is one run of a worker.
type life struct {
	id         string
	term       uint64
	pid, guard int
	overlap    time.Duration // how long it waited for the lock of another worker
}

func (w workers) lives(t *testing.T) []life {
	t.Helper()
	var all []life
	for _, line := range w.lines(t, "began") {
		var l life
		_, err := fmt.Sscan(line, &l.id, &l.term, &l.pid, &l.guard, &l.overlap)
		require.NoError(t, err)
		all = append(all, l)
	}
	return all
}

// next waits for a life after the first n, of a process whose id is different from not.
func (w workers) next(t *testing.T, n int, not string) life {
	t.Helper()
	var found life
	processtest.Eventually(t, "a worker of another process than "+not+" begins", func() bool {
		for _, l := range w.lives(t)[n:] {
			if l.id != not {
				found = l
				return true
			}
		}
		return false
	})
	return found
}

// freeze stops processes at a moment at which none of them has locked the store, so that
// others can use it. It reports false if one of them has ended.
func freeze(t *testing.T, db *filekv.DB, pids ...int) bool {
	t.Helper()
	write := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		return db.Transact(ctx, func(tr kv.Transaction) error {
			tr.Set([]byte("probe"), nil)
			return nil
		})
	}
	for {
		for _, pid := range pids {
			if syscall.Kill(pid, syscall.SIGSTOP) != nil || processtest.Gone(pid) {
				thaw(pids...)
				return false
			}
		}
		if write(300*time.Millisecond) == nil {
			return true
		}
		thaw(pids...)
		require.NoError(t, write(processtest.Patience))
	}
}

// stopped reports whether every thread of a process is stopped. kill returns when the
// signal is delivered, and a running thread stops a little later.
func stopped(pid int) bool {
	files, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/stat")
	if err != nil || len(files) == 0 {
		return false
	}
	for _, file := range files {
		if stat, err := os.ReadFile(file); err != nil || !strings.Contains(string(stat), ") T ") {
			return false
		}
	}
	return true
}

func thaw(pids ...int) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGCONT) // it may have ended
	}
}
