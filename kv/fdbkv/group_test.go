package fdbkv_test

import (
	"testing"

	"github.com/fdbelection/fdbelection/internal/grouptest"
)

// TestGroup runs the suite of groups on the real database.
func TestGroup(t *testing.T) { grouptest.Run(t, suiteEngine) }
