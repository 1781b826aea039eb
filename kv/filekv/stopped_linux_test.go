package filekv_test

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

// holdLock takes the lock of a store, as another process would.
func holdLock(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path+".lock", os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	lk := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: 0, Len: 1}
	require.NoError(t, unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lk))
	return f
}

// awaitQueue waits until a process waits in the queue behind f.
func awaitQueue(t *testing.T, f *os.File) {
	t.Helper()
	require.Eventually(t, func() bool {
		lk := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: 1, Len: 0}
		err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lk)
		return err == nil && lk.Type != unix.F_UNLCK
	}, 20*time.Second, time.Millisecond)
}

// TestStoppedAndKilledWaiters: a process that is stopped or killed while it waits in
// the queue does not block others. A stopped process continues when it is resumed.
func TestStoppedAndKilledWaiters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	db, err := filekv.Open(path, filekv.Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	commit := func() {
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			tr.Set([]byte("k"), []byte("v"))
			return nil
		}))
	}
	for name, end := range map[string]func(c *child){
		"killed": func(c *child) { c.kill() },
		"stopped": func(c *child) {
			require.NoError(t, c.cmd.Process.Signal(syscall.SIGSTOP))
			require.NoError(t, unix.Waitid(unix.P_PID, c.cmd.Process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil))
		},
	} {
		c := spawn(t, "load", path)
		c.await()
		f := holdLock(t, path)
		c.send(loadOrder{Measure: time.Millisecond})
		awaitQueue(t, f)
		end(c)
		require.NoError(t, f.Close())
		for range 5 {
			commit()
		}
		if name == "stopped" {
			require.NoError(t, c.cmd.Process.Signal(syscall.SIGCONT))
			var result loadResult
			c.receive(&result)
			commit()
		}
	}
}
