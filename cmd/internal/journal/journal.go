package journal

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// Journal writes lines to a writer in the background, in order. Its Write never waits for
// that writer, so a terminal that does not read cannot delay a renewal.
type Journal struct {
	to io.Writer

	mu    sync.Mutex
	ready sync.Cond
	lines [][]byte
	ended bool
	done  chan struct{}
}

var _ io.Writer = (*Journal)(nil)

// New returns a Journal that writes to a writer.
func New(to io.Writer) *Journal {
	j := &Journal{to: to, done: make(chan struct{})}
	j.ready.L = &j.mu
	go j.write()
	return j
}

func (j *Journal) write() {
	defer close(j.done)
	for {
		j.mu.Lock()
		for len(j.lines) == 0 && !j.ended {
			j.ready.Wait()
		}
		lines := j.lines
		j.lines = nil
		j.mu.Unlock()
		if lines == nil {
			return
		}
		for _, line := range lines {
			j.to.Write(line) //nolint:errcheck // there is no other place to report an error
		}
	}
}

// Close waits until all lines are written, for one second at most.
func (j *Journal) Close(c elector.Clock) {
	j.mu.Lock()
	j.ended = true
	j.ready.Signal()
	j.mu.Unlock()
	timeout := make(chan struct{})
	timer := c.AfterFunc(time.Second, func() { close(timeout) })
	defer timer.Stop()
	select {
	case <-j.done:
	case <-timeout:
	}
}

// Write queues one line. It never fails.
func (j *Journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, bytes.Clone(line))
	j.ready.Signal()
	return len(line), nil
}
