//go:build !linux

package clock

import "time"

func start() func() time.Duration { return startMonotonic() }
