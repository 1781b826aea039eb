package cli

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/kv"
)

// diagnosis is the output of doctor.
type diagnosis struct {
	Findings []struct {
		Check, Level, Found string
		Count               int
		Subjects            []string
	}
}

// examined returns what doctor finds in a database, and its exit code.
func examined(t *testing.T, db kv.Database, args ...string) (d diagnosis, code int) {
	t.Helper()
	stdout, stderr, err := execOn(t.Context(), clitest.Virtual{}, db, append([]string{"doctor", "--output", "json"}, args...)...)
	require.NoError(t, json.Unmarshal([]byte(stdout), &d), "%s %s", stdout, stderr)
	return d, exit.Code(err)
}

// of returns what a check found. Each text begins with the level.
func (d *diagnosis) of(check string) (all []string) {
	for _, f := range d.Findings {
		if f.Check == check {
			all = append(all, f.Level+" "+f.Found)
		}
	}
	return all
}
