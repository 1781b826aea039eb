//go:build unix

package filekv_test

import (
	"testing"

	"github.com/fdbelection/fdbelection/internal/engines"
	"github.com/fdbelection/fdbelection/kv/kvtest"
)

func TestConformance(t *testing.T) {
	kvtest.Run(t, engines.File())
}
