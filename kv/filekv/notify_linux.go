package filekv

import (
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// inotify tells when a process that could write to the file closes it: when a
// commit is over, and also when the process died over it.
type inotify struct {
	file *os.File
	buf  [4096]byte

	mu    sync.Mutex
	woken bool
}

// newNotifier returns an inotify, or a poller where there can be none: the
// number of inotify instances of a user is limited.
func newNotifier(path string) notifier {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return newPoller()
	}
	if _, err := unix.InotifyAddWatch(fd, path, unix.IN_CLOSE_WRITE|unix.IN_MOVE_SELF|unix.IN_DELETE_SELF); err != nil {
		_ = unix.Close(fd)
		return newPoller()
	}
	return &inotify{file: os.NewFile(uintptr(fd), "inotify")}
}

// wait implements notifier. A wake that comes while nobody waits is kept in
// woken, one that comes later ends the read by its deadline.
func (n *inotify) wait(d time.Duration) {
	n.mu.Lock()
	if !n.woken {
		_ = n.file.SetReadDeadline(realNow().Add(d))
		n.mu.Unlock()
		_, _ = n.file.Read(n.buf[:])
		n.mu.Lock()
	}
	n.woken = false
	n.mu.Unlock()
}

func (n *inotify) wake() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.woken = true
	_ = n.file.SetReadDeadline(time.Unix(1, 0))
}

func (n *inotify) look() time.Duration { return lookEvery }

func (n *inotify) close() { _ = n.file.Close() }
