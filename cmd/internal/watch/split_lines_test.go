package watch

import "strings"

// splitLines splits the lines of a watch into those of the leadership and those of
// candidates, without times and ballots. It leaves out events that depend
// on which process reads first.
func splitLines(text string) (leadership, candidates []string) {
	for line := range strings.Lines(text) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), " ")
		leader, event, _ := strings.Cut(line, " event=")
		switch {
		case strings.HasPrefix(event, eventLeaseExpired), strings.HasPrefix(event, eventTimedOut):
		case strings.Contains(event, " candidate="):
			candidates = append(candidates, event)
		default:
			leader, _, _ = strings.Cut(leader, " ballot=")
			leadership = append(leadership, leader+" "+event)
		}
	}
	return leadership, candidates
}
