package records

import "github.com/fdbelection/fdbelection/election"

// longestReason is how much of a reason a table shows, in characters.
const longestReason = 40

// ReadyText says in one cell of a table whether a candidate is ready, and why not.
func ReadyText(c *election.Candidate) string {
	if c.Ready() {
		return "yes"
	}
	return "no: " + ShortReason(c.NotReady)
}

// ShortReason returns a reason for one cell of a table, safe to print.
func ShortReason(text string) string {
	reason := []rune(election.SafeText(text))
	if len(reason) > longestReason {
		reason = append(reason[:longestReason-3], []rune("...")...)
	}
	return string(reason)
}

// ReadyEvent says that a candidate has become ready, or why it is not ready any more.
func ReadyEvent(c *election.Candidate) string {
	if c.Ready() {
		return "ready"
	}
	return "not ready: " + election.SafeText(c.NotReady)
}
