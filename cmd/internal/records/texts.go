package records

import (
	"fmt"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/election"
)

// noteOf says how the leader record came to be as it is.
func AcquireText(seat election.LeaderRecord) string {
	switch {
	case seat.Vacant() && seat.Ballot == 0:
		return "never held"
	case seat.Vacant():
		return "vacant"
	case !seat.Accepted:
		return seat.AcquireReason.String() + ", handed over"
	default:
		return seat.AcquireReason.String()
	}
}

func PendingText(accepted bool) string {
	return output.Either(accepted, "", " (handed over, and not accepted yet)")
}

// duplicateText says who was turned away, and by whom.
func DuplicateText(v *election.Event) string {
	return fmt.Sprintf("%s was turned away, as %s was alive under the same id", v.To, v.From)
}

// lostText says what the term record knows of a leader record that is lost.
func LostText(tenure election.TermRecord) string {
	if !tenure.Held {
		return fmt.Sprintf("unknown: its record is missing; by the term record the seat is vacant after term %d", tenure.Term)
	}
	return fmt.Sprintf("unknown: its record is missing; by the term record %s holds the seat in term %d", tenure.Identity, tenure.Term)
}
