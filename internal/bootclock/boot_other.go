//go:build !linux

package bootclock

import "time"

func newClock() func() time.Duration { return monotonic() }
