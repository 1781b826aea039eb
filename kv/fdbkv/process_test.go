package fdbkv_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// The environment variables that tell a child process its part.
const (
	childPart     = "FDBKV_TEST_PART"
	childArgument = "FDBKV_TEST_ARGUMENT"
)

// parts holds the functions of child processes. Each gets the child's argument.
var parts = map[string]func(argument string) error{
	"buggify":    buggify,
	"follow":     follow,
	"lead":       leadBuggified,
	"member":     beMember,
	"old client": openWithOldClient,
	"succeed":    succeed,
	"increment":  func(key string) error { return increment([]byte(key)) },
	"watch":      func(key string) error { return watchInChild([]byte(key)) },
}

// runPart runs a part and returns the exit status of the process.
func runPart(name string) int {
	part := parts[name]
	if part == nil {
		fmt.Fprintf(os.Stderr, "there is no part %q\n", name)
		return 2
	}
	if err := part(os.Getenv(childArgument)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// child is another process with its own client.
type child struct {
	t   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	err strings.Builder
}

// childCommand returns the command of a child with a part and additional environment variables.
func childCommand(t testing.TB, part, argument string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c := exec.CommandContext(t.Context(), self)
	c.Env = append(append(os.Environ(), childPart+"="+part, childArgument+"="+argument), env...)
	return c
}

// spawn starts a child with a part and additional environment variables.
func spawn(t testing.TB, part, argument string, env ...string) *child {
	t.Helper()
	c := &child{t: t, cmd: childCommand(t, part, argument, env...)}
	c.cmd.Stderr = &c.err
	var err error
	c.in, err = c.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	c.out = bufio.NewReader(out)
	require.NoError(t, c.cmd.Start())
	return c
}

// line waits for the child's next line.
func (c *child) line() string {
	c.t.Helper()
	text, err := c.out.ReadString('\n')
	if err != nil {
		_ = c.cmd.Wait()
		c.t.Fatalf("the child ended: %v\n%s%s", err, text, c.err.String())
	}
	return strings.TrimSpace(text)
}

// wait waits until the child has succeeded, and returns the rest of its output.
func (c *child) wait() string {
	c.t.Helper()
	text, err := io.ReadAll(c.out)
	require.NoError(c.t, err)
	require.NoError(c.t, c.cmd.Wait(), "%s%s", text, c.err.String())
	return string(text)
}

// buggified opens the database with the fault injection of the client library.
func buggified() (*fdbkv.Database, error) {
	const always, sometimes = 100, 10 // per cent
	err := errors.Join(
		fdb.APIVersion(fdbkv.APIVersion),
		fdb.Options().SetClientBuggifyEnable(),
		fdb.Options().SetClientBuggifySectionActivatedProbability(always),
		fdb.Options().SetClientBuggifySectionFiredProbability(sometimes),
	)
	if err != nil {
		return nil, err
	}
	return fdbkv.Open(clusterFile, fdbkv.Options{})
}

const incrementsEach = 100

// increment repeatedly increments a counter in competition with other processes.
func increment(key []byte) error {
	db, err := fdbkv.Open(clusterFile, fdbkv.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range incrementsEach {
		if err := db.Transact(ctx, func(tr kv.Transaction) error {
			value, err := tr.Get(key).Get()
			if err != nil {
				return err
			}
			n, _ := strconv.Atoi(string(value))
			tr.Set(key, strconv.AppendInt(nil, int64(n+1), 10))
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// TestTwoProcesses: all concurrent increments of two clients are counted.
func TestTwoProcesses(t *testing.T) {
	key := append(prefix(t), "counter"...)
	other := spawn(t, "increment", string(key))
	require.NoError(t, increment(key))
	other.wait()
	require.Equal(t, strconv.Itoa(2*incrementsEach), stored(t, key))
}

const watchRounds = 20

// watchInChild watches a key, reports that, and reports the value after the watch fired.
func watchInChild(key []byte) error {
	db, err := fdbkv.Open(clusterFile, fdbkv.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	seen := ""
	for seen != strconv.Itoa(watchRounds) {
		var watch kv.Watch
		if err := db.Transact(ctx, func(tr kv.Transaction) error {
			value, err := tr.Get(key).Get()
			seen, watch = string(value), tr.Watch(key)
			return err
		}); err != nil {
			return err
		}
		fmt.Printf("seen %s\n", seen)
		if seen == strconv.Itoa(watchRounds) {
			watch.Cancel()
			break
		}
		select {
		case <-watch.Done():
			if err := watch.Err(); err != nil {
				return err
			}
		case <-ctx.Done():
			return fmt.Errorf("a watch did not fire: %w", ctx.Err())
		}
	}
	return nil
}

// TestWatchAcrossProcesses: a watch in one process fires for each write of another.
func TestWatchAcrossProcesses(t *testing.T) {
	key := append(prefix(t), "watched"...)
	db := open(t, fdbkv.Options{})
	watcher := spawn(t, "watch", string(key))
	require.Equal(t, "seen", watcher.line())
	for i := 1; i <= watchRounds; i++ {
		want := strconv.Itoa(i)
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			tr.Set(key, []byte(want))
			return nil
		}))
		for watcher.line() != "seen "+want {
			continue // a watch may fire without a change
		}
	}
	watcher.wait()
}
