package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// journal writes lines. Its methods never
// wait for the writer: a terminal that stands still must not hold up a renewal.
type journal struct {
	changes, problems io.Writer

	mu    sync.Mutex
	ready sync.Cond
	lines []entry
	ended bool
	done  chan struct{}
}

type entry struct {
	to   io.Writer
	text string
}

// newJournal starts a journal. Where a command has stdout for itself, all of it
// goes to stderr.
func newJournal(stdout, stderr io.Writer, quiet bool) *journal {
	j := &journal{changes: stdout, problems: stderr, done: make(chan struct{})}
	if quiet {
		j.changes = stderr
	}
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
			io.WriteString(line.to, line.text+"\n") //nolint:errcheck // nobody is left to be told
		}
	}
}

// close waits until everything is written, and not for ever.
func (j *journal) close(c elector.Clock) {
	j.mu.Lock()
	j.ended = true
	j.ready.Signal()
	j.mu.Unlock()
	tired := make(chan struct{})
	timer := c.AfterFunc(time.Second, func() { close(tired) })
	defer timer.Stop()
	select {
	case <-j.done:
	case <-tired:
	}
}

func (j *journal) add(to io.Writer, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, entry{to, text})
	j.ready.Signal()
}

func (j *journal) note(text string) { j.add(j.problems, "fdbelect: "+text) }

// change writes who leads and what part this process has in it: fields of the
// form key=value, quoted where the value needs it, always in the same order.
func (j *journal) change(at time.Time, leader string, term, ballot uint64, role, note string) {
	j.add(j.changes, fmt.Sprintf("%s leader=%s term=%d ballot=%d role=%s note=%s",
		at.UTC().Format(timeLayout), leader, term, ballot, role, field(note)))
}

// timeLayout is RFC 3339 with milliseconds, always of one width.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// field returns a value for key=value: as it is, or quoted where it could be
// misread or could steer a terminal.
func field(value string) string {
	safe := election.SafeText(value)
	if safe == value && (value == "" || value == "-" || strings.ContainsAny(value, ` ="`)) {
		return strconv.Quote(value)
	}
	return safe
}

// ago is an age in a few characters.
func ago(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}
