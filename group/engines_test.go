package group_test

import (
	"testing"

	"github.com/fdbelection/fdbelection/internal/engines"
	"github.com/fdbelection/fdbelection/internal/grouptest"
)

func TestOnMemkv(t *testing.T) { grouptest.Run(t, engines.TidyMem()) }

func TestOnFilekv(t *testing.T) { grouptest.Run(t, engines.TempFile()) }
