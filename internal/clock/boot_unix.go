//go:build unix && !linux && !aix && !netbsd

package clock

import "time"

// Boot returns Monotonic: this system may not have a clock that includes the
// time that the machine was suspended.
func Boot() time.Duration { return Monotonic() }
