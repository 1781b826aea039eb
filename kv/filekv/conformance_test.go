//go:build unix

package filekv_test

import (
	"testing"

	"github.com/fdbelection/fdbelection/kv/kvtest"
	"github.com/fdbelection/fdbelection/kv/kvtest/engines"
)

func TestConformance(t *testing.T) {
	kvtest.Run(t, engines.File())
}
