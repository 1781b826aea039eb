//go:build !unix

package filekv

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnsupported(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	_, err := Open(path, Options{})
	require.ErrorIs(t, err, ErrUnsupported)
	require.ErrorContains(t, err, path)
	require.NoFileExists(t, path)
}
