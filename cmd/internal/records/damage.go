package records

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// Damaged is a record that could not be read.
type Damaged struct {
	Record  string `json:"record"`
	Key     string `json:"key"` // quoted
	Problem string `json:"problem"`
	Do      string `json:"do"`
}

// DamagedIn returns the records that an error names, each once. It is never nil.
func DamagedIn(err error) []Damaged {
	list := []Damaged{}
	for _, invalid := range InvalidIn(err) {
		list = append(list, Damaged{
			Record: invalid.Record, Key: strconv.QuoteToASCII(string(invalid.Key)),
			Problem: election.SafeText(invalid.Problem), Do: Remedy(invalid),
		})
	}
	return list
}

// InvalidIn returns the unreadable records that an error names, each once. The error may be
// joined.
func InvalidIn(err error) (all []*fdbelection.InvalidStateError) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		known := make(map[string]bool)
		for _, inner := range joined.Unwrap() {
			for _, invalid := range InvalidIn(inner) {
				if text := invalid.Error(); !known[text] {
					known[text] = true
					all = append(all, invalid)
				}
			}
		}
		return all
	}
	if invalid, ok := err.(*fdbelection.InvalidStateError); ok { //nolint:errorlint // wrapped errors are unwrapped below
		return []*fdbelection.InvalidStateError{invalid}
	}
	if inner := errors.Unwrap(err); inner != nil {
		return InvalidIn(inner)
	}
	return nil
}

// LeaderRemedy says how to repair a leader record.
const LeaderRemedy = `stop every process, then write it from the term record with "fdbelect raise-term --floor 1 --force"`

// Remedy says how to repair a record that cannot be read.
func Remedy(invalid *fdbelection.InvalidStateError) string {
	switch {
	case invalid.Newer:
		return "a newer program wrote it: use fdbelect of that version, and leave the record alone"
	case invalid.Record == "config":
		return `"fdbelect config set --defaults" replaces it with a complete config`
	case invalid.Record == "leader":
		return LeaderRemedy
	case invalid.Record == "intent":
		return `"fdbelect cancel" removes it`
	case groupRemedies[invalid.Record] != "":
		return groupRemedies[invalid.Record]
	default:
		return `"fdbelect repair" repairs it ("--dry-run" shows how)`
	}
}

// groupRemedies say how to repair the records of a group.
var groupRemedies = map[string]string{
	"group":   `"fdbelect group config set --defaults" replaces it with a complete config`,
	"member":  "restart that member: it leaves or is evicted, and joins with a new record",
	"beat":    "that member joins again by itself; if it does not, restart it",
	"shard":   `"fdbelect group history --shard" shows its newest term, and "fdbelect group raise-term --force" replaces it with that term as --floor`,
	"pin":     `"fdbelect group unpin" removes it`,
	"request": `"fdbelect group cancel" removes it`,
	"floor":   `"fdbelect group raise-term" replaces it, with a --floor that no term has exceeded`,
	"trimmed": "the members write it again when they trim the log",
}

// WithRemedies adds to an error how to repair the records that it names. If their repairs differ,
// each says for which kinds of records it is. fate says what happened to the records.
func WithRemedies(err error, fate string) error {
	var all []string
	kinds := make(map[string][]string) // by remedy
	for _, invalid := range InvalidIn(err) {
		what := Remedy(invalid)
		if kinds[what] == nil {
			all = append(all, what)
		}
		if !slices.Contains(kinds[what], invalid.Record) {
			kinds[what] = append(kinds[what], invalid.Record)
		}
	}
	if all == nil {
		return err
	}
	if len(all) > 1 {
		for i, what := range all {
			all[i] = strings.Join(kinds[what], " and ") + ": " + what
		}
	}
	return fmt.Errorf("%w; %s: %s", err, fate, strings.Join(all, "; "))
}

// Unchanged is the fate of records that a command has only read.
const Unchanged = "nothing was changed"

// LeaderLost reports whether a status was read without a leader record. Its leader is then
// the one in the term record.
func LeaderLost(s *election.Status) bool {
	return slices.ContainsFunc(InvalidIn(s.Unreadable), func(invalid *fdbelection.InvalidStateError) bool {
		return invalid.Record == "leader"
	})
}
