//go:build unix

package membertest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/internal/membertest"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// The environment of a process: the store and its id.
const (
	storeOfProcess = "FDBELECTION_MEMBERTEST_STORE"
	idOfProcess    = "FDBELECTION_MEMBERTEST_ID"
)

var space = subspace.New("processes")

func TestMain(m *testing.M) {
	if os.Getenv(storeOfProcess) == "" {
		os.Exit(m.Run())
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func work() error {
	db, err := filekv.Open(os.Getenv(storeOfProcess), filekv.Options{MustExist: true})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // every commit is durable
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return membertest.Work(ctx, db, space, os.Getenv(idOfProcess))
}

// Processes that lead 10,000 shards in a store file are killed, started and stopped.
func TestProcesses(t *testing.T) {
	store := filepath.Join(t.TempDir(), "store")
	db, err := filekv.Open(store, filekv.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	self, err := os.Executable()
	require.NoError(t, err)
	membertest.Run(t, db, space, longtest.Pick(200, 10_000), func(id string) *exec.Cmd {
		c := exec.CommandContext(t.Context(), self)
		c.Env = append(os.Environ(), storeOfProcess+"="+store, idOfProcess+"="+id)
		return c
	})
}

// The members of a pool take over what a dead one and a stopped one led.
func TestPool(t *testing.T) {
	db := memkv.New(memkv.Options{})
	p := &membertest.Pool{Databases: []kv.Database{db, db, db}, Space: space, Lease: time.Second, Shards: []string{"x", "y", "z"}}
	s := membertest.NewShares()
	p.Start(t, s)
	defer p.Close()
	p.Stop(0)
	require.NoError(t, s.Await(time.Minute, membertest.LedBy(3, 0)))
	require.WithinDuration(t, time.Now(), p.Kill(1), time.Second)
	require.NoError(t, s.Await(time.Minute, membertest.LedBy(3, 1)))
	require.Error(t, s.Await(0, membertest.LedBy(4, 1)))
}
