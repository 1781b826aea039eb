//go:build !linux

package elector

import "time"

func sinceStart() func() time.Duration { return monotonic() }
