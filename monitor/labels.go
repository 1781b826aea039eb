package monitor

import (
	"strings"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/internal/groupview"
)

// states are the values of the label "state", "from" and "to".
var states = [...]elector.State{
	elector.StateStopped, elector.StateCandidate, elector.StateFollower, elector.StateLeader, elector.StateJeopardy, elector.StateObserver,
}

// reasons are the values of the label "reason" of a transition.
var reasons = map[elector.Reason]string{
	elector.ReasonStarted:         "started",
	elector.ReasonStopped:         "stopped",
	elector.ReasonFailed:          "failed",
	elector.ReasonVacancy:         "vacancy",
	elector.ReasonExpiry:          "expiry",
	elector.ReasonPreemption:      "preemption",
	elector.ReasonTransfer:        "transfer",
	elector.ReasonReclaim:         "reclaim",
	elector.ReasonUnrenewed:       "unrenewed",
	elector.ReasonRenewed:         "renewed",
	elector.ReasonLeadershipLost:  "leadership_lost",
	elector.ReasonChallenged:      "challenged",
	elector.ReasonAskedToResign:   "asked_to_resign",
	elector.ReasonAskedToTransfer: "asked_to_transfer",
	elector.ReasonDisabled:        "disabled",
	elector.ReasonDemoted:         "demoted",
	elector.ReasonNotReady:        "not_ready",
	elector.ReasonWorkReturned:    "work_returned",
	elector.ReasonLeaderSeen:      "leader_seen",
	elector.ReasonNoLeader:        "no_leader",
	elector.ReasonRole:            "role",
}

// rules are the delays with the values of the label "rule".
var rules = [...]struct {
	rule  elector.DelayRule
	label string
}{
	{elector.DelayHoldOff, "hold_off"},
	{elector.DelayPreempt, "preempt_delay"},
	{elector.DelayMinimumTenure, "minimum_tenure"},
	{elector.DelayHeadStart, "head_start"},
	{elector.DelayLostRecords, "lost_records"},
}

// memberStates are the values of the label "state" of a process in a group.
var memberStates = [...]member.State{
	member.StateStopped, member.StateObserver, member.StateJoining, member.StateUnready, member.StateMember, member.StateJeopardy, member.StateLeaving,
}

// seenStates are the values of the label "state" of the members that an outsider sees.
var seenStates = [...]string{
	groupview.StateReady, groupview.StateNotReady, groupview.StateDraining, groupview.StateSilent, groupview.StateUnreadable,
}

// begins, vacates and ends are the reasons with which a tenure of a shard begins, ends without a
// successor, and ends at all.
var (
	begins = []group.Reason{
		group.ReasonVacancy, group.ReasonExpiry, group.ReasonBalance, group.ReasonPin, group.ReasonDrain, group.ReasonStop,
		group.ReasonResign, group.ReasonWork, group.ReasonNotReady, group.ReasonDisabled, group.ReasonLapse,
	}
	vacates = append(begins[2:len(begins):len(begins)], group.ReasonRaised)
	ends    = begins[2:]
)

// wordLabel returns a state or a reason in a word or two as the value of a label.
func wordLabel(word string) string { return strings.ReplaceAll(word, " ", "_") }

// other is the label of a reason that this package does not know.
const other = "other"

func reasonLabel(r elector.Reason) string {
	if label := reasons[r]; label != "" {
		return label
	}
	return other
}

// maxLabelBytes is the length to which text from the database is cut.
const maxLabelBytes = 128

// safeLabel returns text from the database as the value of a label: valid UTF-8, printable
// and short.
func safeLabel(text string) string {
	const more = "..."
	text = election.SafeText(text)
	if len(text) <= maxLabelBytes {
		return text
	}
	text = strings.ToValidUTF8(text[:maxLabelBytes-len(more)], "") // without half a character
	return strings.TrimSpace(text) + more
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
