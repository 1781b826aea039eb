package check

import (
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// Clock counts the virtual time of testing/synctest.
type Clock struct{}

// Now returns the virtual time.
func (Clock) Now() time.Time { return time.Now() }

// Wall returns the virtual time.
func (Clock) Wall() time.Time { return time.Now() }

// AfterFunc calls f after d of virtual time.
func (Clock) AfterFunc(d time.Duration, f func()) elector.Timer { return time.AfterFunc(d, f) }
