package elector_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine behind. Within virtual time testing/synctest says
// so of each test: it fails one whose goroutines do not end.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
