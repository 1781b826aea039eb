package records

import "github.com/fdbelection/fdbelection/election"

// longestReason is how much of a reason a table shows, in characters.
const longestReason = 40

// ReadyText says in one cell of a table whether a candidate is ready, and why not.
func ReadyText(c *election.Candidate) string {
	if c.Ready() {
		return "yes"
	}
	reason := []rune(election.SafeText(c.NotReady))
	if len(reason) > longestReason {
		reason = append(reason[:longestReason-3], []rune("...")...)
	}
	return "no: " + string(reason)
}

// ReadyEvent says that a candidate has become ready, or why it is not ready any more.
func ReadyEvent(c *election.Candidate) string {
	if c.Ready() {
		return "ready"
	}
	return "not ready: " + election.SafeText(c.NotReady)
}
