package watch

import "strings"

// toldApart takes the lines of a watch apart: what they tell of the seat, and what of
// candidates. Left out are the times, the ballots, and lines that depend on who
// looked first.
func toldApart(text string) (seat, candidates []string) {
	for line := range strings.Lines(text) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), " ")
		leader, event, _ := strings.Cut(line, " event=")
		switch {
		case strings.HasPrefix(event, eventLeaseExpired), strings.HasPrefix(event, eventTimedOut):
		case strings.Contains(event, " candidate="):
			candidates = append(candidates, event)
		default:
			leader, _, _ = strings.Cut(leader, " ballot=")
			seat = append(seat, leader+" "+event)
		}
	}
	return seat, candidates
}
