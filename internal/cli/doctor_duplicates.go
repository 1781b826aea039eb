package cli

import (
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// recentDuplicate is how long ago a process was refused, at most, for doctor to warn.
const recentDuplicate = time.Hour

// checkDuplicates looks for ids that two processes were started under.
func (e *examination) checkDuplicates() {
	last := make(map[string]election.Event) // by id; the history is in order
	var ids []string
	for _, event := range e.history {
		if event.Kind != election.EventDuplicate || e.readAt.Sub(event.At) > recentDuplicate {
			continue
		}
		if _, known := last[event.From.ID]; !known {
			ids = append(ids, event.From.ID)
		}
		last[event.From.ID] = event
	}
	for _, id := range ids {
		event := last[id]
		e.warn("two processes run under one id: the newer one stops with ErrDuplicateID, and its supervisor may start it again for ever",
			"give each process an id of its own, or stop one of the two",
			"%s was refused at %s: %s is alive", event.To, event.At.UTC().Format(timeLayout), event.From)
	}
}
