package watch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
)

// line returns a change as fields of the form key=value, always in the same order. Values
// are quoted if necessary.
func (n *news) line() string {
	leader := "-"
	if n.Leader != nil {
		leader = output.Field(n.Leader.ID)
	}
	candidate := ""
	if n.Candidate != nil {
		candidate = " candidate=" + output.Field(n.Candidate.ID)
	}
	return fmt.Sprintf("%s leader=%s term=%d ballot=%d event=%s%s reason=%s",
		n.Time.UTC().Format(output.TimeLayout), leader, n.Term, n.Ballot, n.Event, candidate, output.Field(n.Reason))
}

func (n *news) kind() string { return n.Event }

// lines prints each change. U is the result of a read.
type lines[U any] struct {
	out     io.Writer
	output  output.Format
	palette terminal.Palette
	// found returns the changes of a read.
	found func(u *U) []item
}

var _ viewer[update] = (*lines[update])(nil)

func (l *lines[U]) show(u *U) error {
	for _, n := range l.found(u) {
		if err := l.write(n); err != nil {
			return err
		}
	}
	return nil
}

func (l *lines[U]) write(n item) error {
	switch l.output {
	case output.FormatJSON:
		return writeJSONLine(l.out, n)
	case output.FormatYAML:
		var text strings.Builder
		if err := output.WriteYAML(&text, n); err != nil {
			return err
		}
		_, err := io.WriteString(l.out, "---\n"+text.String())
		return err
	default:
		_, err := fmt.Fprintln(l.out, eventPaint(l.palette, n.kind())(n.line()))
		return err
	}
}

func (l *lines[U]) tick() <-chan struct{} { return nil }
func (l *lines[U]) draw() error           { return nil }
func (l *lines[U]) quit() <-chan struct{} { return nil }
func (l *lines[U]) close()                {}

// itemsOf returns changes as items.
func itemsOf[N any, P interface {
	*N
	item
}](found []N) []item {
	items := make([]item, len(found))
	for i := range found {
		items[i] = P(&found[i])
	}
	return items
}

// eventPaint returns how to paint an event.
func eventPaint(p terminal.Palette, event string) func(string) string {
	switch event {
	case eventElected, eventAccepted, eventReadable, eventRenewed, groups.EventClaimed, groups.EventReady:
		return p.Good
	case eventVacant, eventRequested, eventWithdrawn, eventConfig, eventTimedOut, eventLeft, eventDuplicate,
		groups.EventNotReady, groups.EventDraining, groups.EventRemoved, groups.EventDrained, groups.EventCanceled:
		return p.Warn
	case eventLeaseExpired, eventReset, eventUnreadable, groups.EventEvicted:
		return p.Bad
	default:
		return func(text string) string { return text }
	}
}

// writeJSONLine writes a value as JSON on one line.
func writeJSONLine(w io.Writer, value any) error {
	var indented strings.Builder
	if err := output.WriteJSON(&indented, value); err != nil {
		return err
	}
	var line bytes.Buffer
	if err := json.Compact(&line, []byte(indented.String())); err != nil {
		return err
	}
	_, err := w.Write(append(line.Bytes(), '\n'))
	return err
}
