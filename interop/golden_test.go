package interop

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// Python builds each golden record of elections and groups from its description in docs/format.md,
// byte for byte, and reads it.
func TestPythonKnowsTheGoldenRecords(t *testing.T) {
	needPython(t)
	out, err := exec.Command("python3", "-B", "-m", "unittest", "discover", "--start-directory", "python").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Regexp(t, `Ran [1-9]`, string(out))
}
