package election_test

import (
	"testing"

	"github.com/fdbelection/fdbelection/internal/electiontest"
	"github.com/fdbelection/fdbelection/internal/engines"
)

func TestOnMemkv(t *testing.T) { electiontest.Run(t, engines.TidyMem()) }

func TestOnFilekv(t *testing.T) { electiontest.Run(t, engines.TempFile()) }
