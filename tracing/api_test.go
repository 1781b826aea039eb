package tracing_test

import (
	"testing"

	"github.com/fdbelection/fdbelection/internal/goapi"
)

// The exported API is the one in testdata/api.txt.
func TestAPI(t *testing.T) {
	goapi.CheckModule(t)
}
