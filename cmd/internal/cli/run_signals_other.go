//go:build !unix

package cli

import "os"

// passOn passes nothing on: there are no such signals.
func passOn() (signals <-chan os.Signal, stop func()) { return nil, func() {} }

func surviveClosedPipes() (stop func()) { return func() {} }
