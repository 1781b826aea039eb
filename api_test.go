package fdbelection_test

import (
	"testing"

	"github.com/fdbelection/fdbelection/internal/goapi"
)

// The exported API is the one in testdata/api.txt. simulation has no promise (docs/compatibility.md).
func TestAPI(t *testing.T) {
	goapi.CheckModule(t, "github.com/fdbelection/fdbelection/simulation")
}
