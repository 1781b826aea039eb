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

// incarnations are the incarnations that were seen under each id, in order.
type incarnations map[string][]uuid.UUID

func (i incarnations) see(candidates []election.Candidate) {
	for n := range candidates {
		c := &candidates[n]
		if seen := i[c.ID]; len(seen) == 0 || seen[len(seen)-1] != c.Incarnation {
			i[c.ID] = append(seen, c.Incarnation)
		}
	}
}

// changed reports whether the incarnation of an id has changed: more may follow.
func (i incarnations) changed() bool {
	for _, seen := range i {
		if len(seen) > 1 {
			return true
		}
	}
	return false
}

// checkIDs finds two processes with one id: processes that replaced each other during the
// observation, and one that was refused recently, by the history.
func (e *examination) checkIDs() {
	e.begin("ids")
	const (
		recent = 24 * time.Hour
		do     = "find both processes (candidates and logs name their incarnations), and give each an --id of its own; with systemd set RestartPreventExitStatus=79"
	)
	before := len(e.Findings)
	var ids, taken []string
	for _, c := range e.candidates {
		seen := e.incarnations[c.ID]
		if len(seen) < 3 { // one change is a restart
			continue
		}
		processes := slices.Clone(seen)
		slices.SortFunc(processes, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
		ids = append(ids, c.ID)
		taken = append(taken, fmt.Sprintf("%s was registered by %d processes in turn, %d times during the observation",
			election.SafeText(c.ID), len(slices.Compact(processes)), len(seen)-1))
	}
	if ids != nil {
		e.many(levelFail, ids, "two processes run with one id and replace each other, or one crashes again and again; neither can lead for long", do,
			output.Either(len(ids) == 1, "", output.Count(len(ids), "id")+": ")+someOf(taken))
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
