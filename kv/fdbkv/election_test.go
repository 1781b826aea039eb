package fdbkv_test

import (
	"testing"

	"github.com/fdbelection/fdbelection/internal/electiontest"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// suiteEngine describes the real database for the suites of the protocols.
var suiteEngine = suite.Engine{
	Name:            "FoundationDB",
	Prefix:          []byte(testPrefix),
	Open:            func(t testing.TB) kv.Database { return open(t, fdbkv.Options{}) },
	SpuriousWatches: true,
}

// TestElection runs the suite of the protocol on the real database.
func TestElection(t *testing.T) { electiontest.Run(t, suiteEngine) }
