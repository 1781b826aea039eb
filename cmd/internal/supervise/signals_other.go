//go:build !unix

package supervise

import "os"

// ForwardedSignals returns nil, because this system has no such signals.
func ForwardedSignals() (signals <-chan os.Signal, stop func()) { return nil, func() {} }

// SurviveClosedPipes does nothing, because this system has no SIGPIPE.
func SurviveClosedPipes() (stop func()) { return func() {} }
