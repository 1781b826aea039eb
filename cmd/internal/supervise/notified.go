package supervise

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/journal"
	"github.com/fdbelection/fdbelection/election"
)

// The events of a change.
const (
	eventAcquire = "acquire"
	eventRelease = "release"
)

// change is a line on the stdin of a command that is told which shards its process leads.
type change struct {
	Event  string `json:"event"`
	Shard  string `json:"shard"`
	Term   uint64 `json:"term"`
	Token  string `json:"token,omitempty"`  // of acquire
	Reason string `json:"reason,omitempty"` // of release
}

// answer is a line on its stdout: it has given up a shard. The term tells an answer from a late one
// of an earlier tenure.
type answer struct {
	Released *string `json:"released"`
	Term     *uint64 `json:"term"`
}

// maxAnswer is more than the longest answer, which has a name of 255 bytes.
const maxAnswer = 4096

// errRubbish says that a line is not an answer.
var errRubbish = errors.New(`it wrote something else than {"released":"SHARD","term":N} to stdout; let it write its log to stderr`)

func parseAnswer(line []byte) (answer, error) {
	var a answer
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	err := d.Decode(&a)
	if err == nil && (a.Released == nil || a.Term == nil) {
		err = errors.New("a field is missing")
	}
	if _, more := d.Token(); err == nil && !errors.Is(more, io.EOF) {
		err = errors.New("more text follows")
	}
	if err != nil {
		const shown = 100
		return a, fmt.Errorf("%w: %s: %w", errRubbish, election.SafeText(string(line[:min(len(line), shown)])), err)
	}
	return a, nil
}

// notified is a command that is told which shards its process leads.
type notified struct {
	*guarded
	notifier      *Notifier
	guard         *guard
	session       string
	input, output *os.File
	lines         *journal.Journal // to input
	over          chan struct{}    // closed after the process group has ended
	err           error            // set before over is closed

	// These are guarded by the notifier's mu.
	tenures map[string]*told
	stopBy  time.Time // when it must have ended; zero: it need not end
	why     error     // why it was killed
}

// told is a tenure of which the command was told.
type told struct {
	shard    string
	term     uint64
	limit    time.Time     // when it must be given up; zero: it need not
	released chan struct{} // closed when it was given up
}

func newNotified(n *Notifier, g *guard, session string, input, output *os.File) *notified {
	return &notified{
		notifier: n, guard: g, session: session, input: input, output: output, lines: journal.New(input),
		over: make(chan struct{}), tenures: make(map[string]*told),
	}
}

// write tells the command a change. It does not wait until the command reads it.
func (c *notified) write(next change) {
	line, _ := json.Marshal(next) // strings and numbers cannot fail
	_, _ = c.lines.Write(append(line, '\n'))
}

// closeInput ends the stdin of the command after the last line.
func (c *notified) closeInput() {
	c.lines.Close(c.notifier.Clock)
	_ = c.input.Close() // it may be closed already
}

// tellLimit tells the guard the first limit. The caller holds the notifier's mu.
func (c *notified) tellLimit() {
	first := c.stopBy
	for _, one := range c.tenures {
		if !one.limit.IsZero() && (first.IsZero() || one.limit.Before(first)) {
			first = one.limit
		}
	}
	c.limit(first)
}

// unanswered returns an error if the command did not give a shard up in time. The caller holds the
// notifier's mu.
func (c *notified) unanswered() error {
	for _, one := range c.tenures {
		if !one.limit.IsZero() && !c.notifier.Clock.Now().Before(one.limit) {
			return unansweredError{one.shard}
		}
	}
	return nil
}

// stop asks the command to stop within the drain limit. The caller holds the notifier's mu.
func (c *notified) stop() {
	if c.stopBy.IsZero() {
		c.stopBy = c.notifier.Clock.Now().Add(c.notifier.Drain)
		c.terminate()
		c.tellLimit()
		c.notifier.Clock.AfterFunc(c.notifier.Drain, c.kill) // it may have ended by then
	}
}

// give kills the command, because of what it did.
func (c *notified) give(why error) {
	n := c.notifier
	n.mu.Lock()
	first := c.why == nil
	if first {
		c.why = why
	}
	n.mu.Unlock()
	if first {
		n.Log.Warn("command will be killed", "reason", why)
	}
	c.kill()
}

// read reads the answers until the command ends or closes its stdout.
func (c *notified) read(answered func(*notified, answer)) {
	defer c.output.Close() //nolint:errcheck // nothing was written
	scanner := bufio.NewScanner(c.output)
	scanner.Buffer(nil, maxAnswer)
	for scanner.Scan() {
		a, err := parseAnswer(scanner.Bytes())
		if err != nil {
			c.give(err)
			return
		}
		answered(c, a)
	}
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		c.give(fmt.Errorf("%w: a line has more than %d bytes", errRubbish, maxAnswer))
	}
}

// wait waits for the end of the command.
func (c *notified) wait() {
	n := c.notifier
	end := <-c.done()
	c.guard.close()
	<-c.guard.gone
	_ = c.input.Close() // ends a write to a command that did not read
	c.closeInput()
	n.mu.Lock()
	if c.why == nil && WasKilled(end.err) {
		c.why = c.unanswered() // the guard was faster
	}
	stopping, why := !c.stopBy.IsZero(), c.why
	n.mu.Unlock()
	cause := causeItself
	switch {
	case why != nil:
		cause = why.Error()
	case end.cut:
		cause = causeGuard
	case end.unguarded:
		cause = causeUnguarded
	case end.pid == 0:
		cause = causeUnstarted
	case asked(n.Forced):
		cause = causeForced
	case stopping && WasKilled(end.err):
		cause = causeKilled
	case stopping:
		cause = causeAsked
	}
	end.log(n.Log, cause)
	switch c.err = end.err; {
	case why != nil && c.err != nil:
		c.err = fmt.Errorf("%w: %w", why, c.err)
	case why != nil:
		c.err = why
	case end.cut && c.err == nil:
		c.err = ErrCut
	}
	close(c.over)
}
