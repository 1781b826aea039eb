package fdbkv_test

import (
	"testing"

	"github.com/fdbelection/fdbelection/kv/kvtest/differential"
	"github.com/fdbelection/fdbelection/kv/kvtest/engines"
)

// TestMemkvAgainstFoundationDB: the engine in memory answers as the database
// does. What this finds is mended there, and listed in docs/fidelity.md.
func TestMemkvAgainstFoundationDB(t *testing.T) {
	differential.Run(t, engines.Mem(), foundationDB(), 1500)
}
