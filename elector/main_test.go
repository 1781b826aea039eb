package elector_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine behind. In virtual time, testing/synctest checks that for each
// test.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
