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

// incarnations holds the incarnations that were seen under each id, in order.
type incarnations map[string][]uuid.UUID

func (n incarnations) add(candidates []election.Candidate) {
	for i := range candidates {
		c := &candidates[i]
		if seen := n[c.ID]; len(seen) == 0 || seen[len(seen)-1] != c.Incarnation {
			n[c.ID] = append(seen, c.Incarnation)
		}
	}
}

// changed reports whether an id was taken over at least once.
func (n incarnations) changed() bool {
	for _, seen := range n {
		if len(seen) > 1 {
			return true
		}
	}
	return false
}

// checkIDs looks for two processes with one id: those that replaced each other during the
// observation, and one that was refused recently according to the history.
func (e *examination) checkIDs() {
	e.begin("ids")
	const (
		recent = 24 * time.Hour
		do     = "find both processes (candidates and logs name their incarnations), and give each its own --id; with systemd, set RestartPreventExitStatus=79"
	)
	before := len(e.Findings)
	var ids, changes []string
	for _, c := range e.candidates {
		seen := e.incarnations[c.ID]
		if len(seen) < 3 { // one change is a restart
			continue
		}
		processes := slices.Clone(seen)
		slices.SortFunc(processes, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
		ids = append(ids, c.ID)
		changes = append(changes, fmt.Sprintf("%s was registered by %d processes in turn, with %s while it was observed",
			election.SafeText(c.ID), len(slices.Compact(processes)), output.Count(len(seen)-1, "change")))
	}
	if ids != nil {
		e.addMany(levelFail, ids, "two processes run with one id and replace each other, or one process crashes again and again; none of them can lead for long", do,
			output.Either(len(ids) == 1, "", output.Count(len(ids), "id")+": ")+firstFew(changes))
	}
	for i := len(e.history) - 1; i >= 0 && len(e.Findings) == before; i-- {
		v := &e.history[i]
		if age := e.readAt.Sub(v.At); v.Kind == election.EventDuplicate && age < recent {
			e.warn("two processes were started with one id, and only one of them can take part", do, "%s: %s ago, in term %d", records.DuplicateText(v), output.Age(age), v.Term)
		}
	}
	if len(e.Findings) == before {
		e.ok("no two processes were seen with one id")
	}
}
