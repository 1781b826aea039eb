package filekv

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"
)

// notifier waits for signals. A signal says that a watched key may have changed.
// Only one goroutine uses a notifier, except for wake.
type notifier interface {
	// follow sets the signal files to wait for, and creates them if they are missing.
	// It returns false if one of them cannot be followed.
	follow(set *signalSet) bool
	// wait returns after a signal, after d, or if wake was called since the last
	// return. It may also return without a reason.
	wait(d time.Duration)
	// wake ends a wait.
	wake()
	// close releases all resources. wait must not be running.
	close()
}

const (
	// checkInterval is how often the watched keys are checked without a signal, in case
	// one is lost.
	checkInterval = time.Second
	// pollInterval is how often a poller reads the signal files. It is also how often
	// the watched keys are checked if a signal file cannot be followed.
	pollInterval = 10 * time.Millisecond
)

// poller is the notifier for systems without inotify. It reads the signal files
// at intervals.
type poller struct {
	path  string
	mode  os.FileMode
	woken chan struct{}
	seen  map[int]string // the last content of each followed file
}

func newPoller(path string, mode os.FileMode) *poller {
	return &poller{path: path, mode: mode, woken: make(chan struct{}, 1), seen: make(map[int]string)}
}

func (p *poller) follow(set *signalSet) bool {
	all := true
	for number, wanted := range set {
		_, followed := p.seen[number]
		switch {
		case wanted && !followed:
			if err := createSignal(p.path, number, p.mode); err != nil {
				all = false
				continue
			}
			p.seen[number], _ = p.read(number)
		case !wanted && followed:
			delete(p.seen, number)
		}
	}
	return all
}

func (p *poller) wait(d time.Duration) {
	for end := realNow().Add(d); ; {
		left := end.Sub(realNow())
		if left <= 0 || p.pause(min(left, pollInterval)) || p.signalled() {
			return
		}
	}
}

// pause waits for d. It returns true if wake ended the wait.
func (p *poller) pause(d time.Duration) bool {
	t := time.NewTimer(d) //nolint:forbidigo // files change in real time
	defer t.Stop()
	select {
	case <-t.C:
		return false
	case <-p.woken:
		return true
	}
}

// signalled reports whether a followed file has changed since the last read.
func (p *poller) signalled() bool {
	changed := false
	for number, before := range p.seen {
		now, err := p.read(number)
		if err != nil {
			delete(p.seen, number) // a user removed it, and follow creates it again
		} else if now != before {
			p.seen[number] = now
		}
		changed = changed || err != nil || now != before
	}
	return changed
}

// read returns the content of a signal file.
func (p *poller) read(number int) (string, error) {
	f, err := os.OpenFile(signalPath(p.path, number), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	var content [signalSize]byte
	n, err := f.ReadAt(content[:], 0)
	if errors.Is(err, io.EOF) {
		err = nil // no commit has written it yet
	}
	return string(content[:n]), err
}

func (p *poller) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

func (p *poller) close() {}
