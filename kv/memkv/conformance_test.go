package memkv_test

import (
	"testing"

	"github.com/fdbelection/fdbelection/internal/engines"
	"github.com/fdbelection/fdbelection/kv/kvtest"
)

func TestConformance(t *testing.T) {
	kvtest.Run(t, engines.Mem())
}
