package supervise

import (
	"errors"
	"slices"
	"time"
)

// GiveUp says when a command that fails is not started again in the same tenure: after After
// failures within Window. If After is zero, it is always started again.
type GiveUp struct {
	After  int
	Window time.Duration
}

// ErrGaveUp is the error of Work if the command has failed as often as GiveUp allows, and
// another candidate could lead.
var ErrGaveUp = errors.New("the command has failed too often")

// failures are the times of the last failures in a tenure, oldest first.
type failures []time.Time

// add adds a failure. It reports whether the command has failed as often as g allows.
func (f *failures) add(now time.Time, g GiveUp) bool {
	if g.After == 0 {
		return false
	}
	*f = append(*f, now)
	*f = slices.Delete(*f, 0, max(len(*f)-g.After, 0))
	return len(*f) == g.After && now.Sub((*f)[0]) <= g.Window
}
