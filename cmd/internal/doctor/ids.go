package doctor

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/election"
)

// occupants are the incarnations that were seen under each id, one after the other.
type occupants map[string][]uuid.UUID

func (o occupants) see(candidates []election.Candidate) {
	for i := range candidates {
		c := &candidates[i]
		if seen := o[c.ID]; len(seen) == 0 || seen[len(seen)-1] != c.Incarnation {
			o[c.ID] = append(seen, c.Incarnation)
		}
	}
}

// moved reports whether an id has changed hands at all: more may follow.
func (o occupants) moved() bool {
	for _, seen := range o {
		if len(seen) > 1 {
			return true
		}
	}
	return false
}

// checkIDs looks for two processes under one id: those that were seen to take it
// from each other, and one that the history says was turned away a while ago.
func (e *examination) checkIDs() {
	e.begin("ids")
	const (
		recent = 24 * time.Hour
		do     = "find both processes (candidates and logs name their incarnations), and give each an --id of its own; with systemd set RestartPreventExitStatus=79"
	)
	before := len(e.Findings)
	var ids, taken []string
	for _, c := range e.candidates {
		seen := e.occupants[c.ID]
		if len(seen) < 3 { // one change is a restart
			continue
		}
		processes := slices.Clone(seen)
		slices.SortFunc(processes, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
		ids = append(ids, c.ID)
		taken = append(taken, fmt.Sprintf("%s was registered by %d processes in turn, %d times while it was observed",
			election.SafeText(c.ID), len(slices.Compact(processes)), len(seen)-1))
	}
	if ids != nil {
		e.many(levelFail, ids, "two processes run under one id and take it from each other, or one crashes again and again; neither can lead for long", do,
			output.Either(len(ids) == 1, "", output.Count(len(ids), "id")+": ")+someOf(taken))
	}
	for i := len(e.history) - 1; i >= 0 && len(e.Findings) == before; i-- {
		v := &e.history[i]
		if age := e.readAt.Sub(v.At); v.Kind == election.EventDuplicate && age < recent {
			e.warn("two processes are started under one id, and only one of them can take part", do, "%s: %s ago, in term %d", records.DuplicateText(v), output.Age(age), v.Term)
		}
	}
	if len(e.Findings) == before {
		e.ok("no two processes were seen under one id")
	}
}
