package run

import (
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// journal writes in the background, in order. Write never waits for the writer: a blocked
// terminal must not delay a renewal.
type journal struct {
	to io.Writer

	mu    sync.Mutex
	ready sync.Cond
	lines [][]byte
	ended bool
	done  chan struct{}
}

var _ io.Writer = (*journal)(nil)

func newJournal(to io.Writer) *journal {
	j := &journal{to: to, done: make(chan struct{})}
	j.ready.L = &j.mu
	go j.write()
	return j
}

func (j *journal) write() {
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
			j.to.Write(line) //nolint:errcheck // this is the log, so there is no other place for the error
		}
	}
}

// close waits until everything is written, for one second at most.
func (j *journal) close(c elector.Clock) {
	j.mu.Lock()
	j.ended = true
	j.ready.Signal()
	j.mu.Unlock()
	late := make(chan struct{})
	timer := c.AfterFunc(time.Second, func() { close(late) })
	defer timer.Stop()
	select {
	case <-j.done:
	case <-late:
	}
}

// Write takes one line. It always succeeds.
func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, bytes.Clone(line))
	j.ready.Signal()
	return len(line), nil
}
