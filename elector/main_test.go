package elector_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/fdbelection/fdbelection/internal/longtest"
)

// No test may leave a goroutine behind. In virtual time, testing/synctest checks that for each
// test.
func TestMain(m *testing.M) {
	flag.Parse()
	if !longtest.Enabled() && !parallelSet() {
		// The parallel tests are those of TestOnFilekv. They wait for real time and use
		// little CPU.
		if err := flag.Set("test.parallel", "8"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// parallelSet reports whether the command line has the flag -parallel.
func parallelSet() (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == "test.parallel" })
	return set
}
