package filekv

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// diskCall is a system call that writes to the disk or syncs it.
type diskCall struct {
	kind string // write or sync
	path string // of the file
	// named: the store already had its final name.
	named bool
}

// diskCalls runs work in its own thread and returns the system calls that it makes on
// files in the directory of the store. The kernel reports each call before it runs
// (seccomp_unotify(2)). This shows a missing sync, which does not cause an error.
func diskCalls(t *testing.T, store string, work func() error) []diskCall {
	t.Helper()
	listener, done := make(chan int, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked, so the thread ends together with its filter
		fd, err := reportDiskCalls()
		listener <- fd
		if err == nil {
			err = work()
		}
		done <- err
	}()
	fd := <-listener
	if fd < 0 {
		err := <-done
		if os.Getenv("CI") == "" {
			t.Skipf("the kernel cannot report system calls: %v", err)
		}
		require.NoError(t, err, "the kernel cannot report system calls")
	}
	defer func() { require.NoError(t, unix.Close(fd)) }()
	var calls []diskCall
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 10); err == nil && n == 1 && fds[0].Revents&unix.POLLIN != 0 {
			c, err := nextDiskCall(fd, store)
			require.NoError(t, err)
			if strings.HasPrefix(c.path, filepath.Dir(store)) {
				calls = append(calls, c)
			}
			continue
		}
		select {
		case err := <-done:
			require.NoError(t, err)
			return calls
		default:
		}
	}
}

// reportDiskCalls makes the kernel report the calls of this thread.
func reportDiskCalls() (fd int, err error) {
	equal := func(call uint32, skip uint8) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jt: skip}
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
		equal(unix.SYS_PWRITE64, 3),
		equal(unix.SYS_FDATASYNC, 2),
		equal(unix.SYS_FSYNC, 1),
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, err
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	r, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return -1, errno
	}
	return int(r), nil
}

// nextDiskCall receives a report and lets the call continue.
func nextDiskCall(fd int, store string) (diskCall, error) {
	var report [80]byte // struct seccomp_notif: the call's number at 16, its first argument at 32
	var answer [24]byte // struct seccomp_notif_resp
	order := binary.NativeEndian
	if err := control(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&report)); err != nil {
		return diskCall{}, err
	}
	c := diskCall{kind: "sync"}
	if order.Uint32(report[16:]) == unix.SYS_PWRITE64 {
		c.kind = "write"
	}
	c.path, _ = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", order.Uint64(report[32:])))
	_, err := os.Lstat(store)
	c.named = err == nil
	copy(answer[:8], report[:8])
	order.PutUint32(answer[20:], unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE)
	return c, control(fd, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer))
}

func control(fd int, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}

// lastOf returns the index of the last call of a kind on a file, or -1.
func lastOf(calls []diskCall, kind, path string) int {
	for i, c := range slices.Backward(calls) {
		if c.kind == kind && c.path == path {
			return i
		}
	}
	return -1
}

// TestCreationIsSynced: a new store is synced before it gets its name, and its directory
// is synced before Open returns.
func TestCreationIsSynced(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	path := filepath.Join(dir, "store")
	s, err := newStore(path, Options{}.withDefaults())
	require.NoError(t, err)
	defer func() { require.NoError(t, s.close()) }()
	calls := diskCalls(t, path, s.create)
	wrote, synced := lastOf(calls, "write", path+newSuffix), lastOf(calls, "sync", path+newSuffix)
	require.GreaterOrEqual(t, wrote, 0, "%+v", calls)
	require.Greater(t, synced, wrote, "the new file was not synced: %+v", calls)
	require.False(t, calls[synced].named, "the file got its name before it was synced: %+v", calls)
	directory := lastOf(calls, "sync", dir)
	require.GreaterOrEqual(t, directory, 0, "the directory was not synced: %+v", calls)
	require.True(t, calls[directory].named, "the directory was synced before the name was in it: %+v", calls)
}

// TestCommitIsSynced: a commit is synced before it is acknowledged, first its pages and
// then the meta page that refers to them.
func TestCommitIsSynced(t *testing.T) {
	s := tempStore(t, Options{})
	for range 3 {
		calls := diskCalls(t, s.path, func() error {
			_, err := s.commit(&attempt{}, setting("k", "v"))
			return err
		})
		wrote := lastOf(calls, "write", s.path)
		require.GreaterOrEqual(t, wrote, 1, "%+v", calls)
		require.Equal(t, "sync", calls[wrote-1].kind, "the pages were not synced before the meta page: %+v", calls)
		require.Greater(t, lastOf(calls, "sync", s.path), wrote, "the commit was not synced: %+v", calls)
	}
}
