package election

import (
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/subspace"
)

// maxRuleBytes is the length of the longest name of a rule.
const maxRuleBytes = 64

// Delay is what a candidate says about a rule that keeps it from claiming or preempting. It
// is for people who ask why a candidate does not lead. No decision depends on it.
type Delay struct {
	// Rule names the rule, such as "hold-off". If it is empty, there is no delay.
	Rule string
	// Until is when the delay ends, by the wall clock of the candidate.
	Until time.Time
}

func (d *Delay) validate() error {
	switch {
	case len(d.Rule) > maxRuleBytes:
		return invalidCandidate("rule of the delay", fmt.Sprintf("has %d bytes; use at most %d", len(d.Rule), maxRuleBytes))
	case !utf8.ValidString(d.Rule):
		return invalidCandidate("rule of the delay", strconv.QuoteToASCII(d.Rule)+" is not valid UTF-8")
	}
	return nil
}

// encode appends the delay as a nested tuple.
func (d *Delay) encode(b []byte) []byte {
	b = subspace.OpenNested(b)
	b = record.AppendTime(subspace.AppendString(b, d.Rule), d.Until)
	return subspace.CloseNested(b)
}

// decodeDelay reads a delay. If it cannot be read, there is none: it is only shown.
func decodeDelay(r subspace.Reader) Delay {
	d := Delay{Rule: r.Text(), Until: time.Unix(0, r.Int64()).UTC()}
	if r.Err() != nil {
		return Delay{}
	}
	return d
}
