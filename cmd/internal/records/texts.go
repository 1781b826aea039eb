package records

import (
	"fmt"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/election"
)

// AcquireText says how a leader record came about.
func AcquireText(l election.LeaderRecord) string {
	switch {
	case l.Vacant() && l.Ballot == 0:
		return "never held"
	case l.Vacant():
		return "vacant"
	case !l.Accepted:
		return l.AcquireReason.String() + ", handed over"
	default:
		return l.AcquireReason.String()
	}
}

// PendingText follows the name of a holder that has not accepted yet.
func PendingText(accepted bool) string {
	return output.Either(accepted, "", " (handed over, and not accepted yet)")
}

// DuplicateText says which process was refused, and because of which.
func DuplicateText(v *election.Event) string {
	return fmt.Sprintf("%s was refused because %s was alive with the same id", v.To, v.From)
}

// LostText says what the term record knows of a leader whose record is lost.
func LostText(t election.TermRecord) string {
	if !t.Held {
		return fmt.Sprintf("unknown: its record is missing. By the term record, leadership is vacant after term %d", t.Term)
	}
	return fmt.Sprintf("unknown: its record is missing. By the term record, %s holds leadership in term %d", t.Identity, t.Term)
}
