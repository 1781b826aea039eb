package fdbkv_test

import (
	"testing"
	"time"

	"github.com/fdbelection/fdbelection/internal/engines"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// TestConformance runs the suite for all engines on the real database. A failure is a
// bug of the suite or of the adapter.
func TestConformance(t *testing.T) {
	kvtest.Run(t, foundationDB())
}

// foundationDB describes the database under test to the suites.
func foundationDB() kvtest.Engine {
	return engines.FoundationDB(func(t testing.TB) kvtest.Store {
		again := func(t testing.TB) kv.Database { return fdbkv.FromDatabase(raw(t)) }
		return kvtest.Store{
			Database: again(t), // a separate connection, so that it may use up its watches
			Prefix:   prefix(t),
			Advance:  time.Sleep, //nolint:forbidigo // the database uses the real clock
			Share:    again,
			Reopen:   again,
		}
	})
}
