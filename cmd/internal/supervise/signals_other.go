//go:build !unix

package supervise

import "os"

// ForwardedSignals passes nothing on: there are no such signals.
func ForwardedSignals() (signals <-chan os.Signal, stop func()) { return nil, func() {} }

func SurviveClosedPipes() (stop func()) { return func() {} }
