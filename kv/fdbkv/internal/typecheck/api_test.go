package typecheck

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/goapi"
)

// The exported API of the adapter is the one in testdata/api.txt.
func TestAPI(t *testing.T) {
	c := newChecker(t, adapterDir)
	adapter, err := c.Import(c.module)
	require.NoError(t, err)
	goapi.Compare(t, adapterDir+"/testdata/api.txt", adapter)
}
