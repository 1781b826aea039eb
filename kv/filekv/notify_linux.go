package filekv

import (
	"encoding/binary"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// inotify waits until a signal file is closed, either by a commit or because a process
// died that had it open.
type inotify struct {
	path string
	mode os.FileMode
	fd   int
	file *os.File
	buf  [4096]byte
	// followed maps signal files to their inotify watch descriptors.
	followed map[int]int32

	mu    sync.Mutex
	woken bool
}

const (
	// signalled is the event of a signal. After one of the lost events, the followed
	// file is no longer the one at the path.
	signalled = unix.IN_CLOSE_WRITE
	lost      = unix.IN_MOVE_SELF | unix.IN_DELETE_SELF | unix.IN_IGNORED
)

// newNotifier returns an inotify, or a poller if the user has reached the limit of
// inotify instances.
func newNotifier(path string, mode os.FileMode) notifier {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return newPoller(path, mode)
	}
	return &inotify{
		path: path, mode: mode, fd: fd, file: os.NewFile(uintptr(fd), "inotify"),
		followed: make(map[int]int32),
	}
}

func (n *inotify) follow(set *signalSet) bool {
	all := true
	for number, wanted := range set {
		watch, followed := n.followed[number]
		switch {
		case wanted && !followed:
			all = n.add(number) && all
		case !wanted && followed:
			n.remove(number, watch)
		}
	}
	return all
}

func (n *inotify) add(number int) bool {
	if err := createSignal(n.path, number, n.mode); err != nil {
		return false
	}
	watch, err := unix.InotifyAddWatch(n.fd, signalPath(n.path, number), signalled|unix.IN_MOVE_SELF|unix.IN_DELETE_SELF)
	if err != nil {
		return false
	}
	n.followed[number] = int32(watch)
	return true
}

func (n *inotify) remove(number int, watch int32) {
	_, _ = unix.InotifyRmWatch(n.fd, uint32(watch)) // fails if the file is gone
	delete(n.followed, number)
}

// wait implements notifier. If wake is called while no wait is running, it sets woken.
// If it is called later, it ends the read with a deadline.
func (n *inotify) wait(d time.Duration) {
	n.mu.Lock()
	if !n.woken {
		_ = n.file.SetReadDeadline(realNow().Add(d))
		n.mu.Unlock()
		size, _ := n.file.Read(n.buf[:])
		n.forgetLost(n.buf[:max(size, 0)])
		n.mu.Lock()
	}
	n.woken = false
	n.mu.Unlock()
}

// forgetLost forgets files that were removed or moved, so that follow creates them
// again.
func (n *inotify) forgetLost(events []byte) {
	for len(events) >= unix.SizeofInotifyEvent {
		watch := int32(binary.NativeEndian.Uint32(events))
		mask := binary.NativeEndian.Uint32(events[4:])
		name := binary.NativeEndian.Uint32(events[12:])
		events = events[min(unix.SizeofInotifyEvent+int(name), len(events)):]
		if mask&lost == 0 {
			continue
		}
		for number, w := range n.followed {
			if w == watch {
				n.remove(number, w)
			}
		}
	}
}

func (n *inotify) wake() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.woken = true
	_ = n.file.SetReadDeadline(time.Unix(1, 0))
}

func (n *inotify) close() { _ = n.file.Close() }
