package records

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
)

// TestWithRemedies: with several repairs, each says for which kinds of records it is.
func TestWithRemedies(t *testing.T) {
	damaged := func(records ...string) error {
		var all []error
		for _, record := range records {
			all = append(all, &fdbelection.InvalidStateError{Record: record, Key: []byte(record), Problem: "empty"})
		}
		return errors.Join(all...)
	}
	said := func(records ...string) string {
		text := WithRemedies(damaged(records...), "unchanged").Error()
		return text[len(damaged(records...).Error()):]
	}
	const config, repair = `"fdbelect config set --defaults" replaces it with a complete config`, `"fdbelect repair" repairs it ("--dry-run" shows how)`
	require.Equal(t, "; unchanged: "+config, said("config", "config"))
	require.Equal(t, "; unchanged: "+repair, said("candidate", "history"))
	require.Equal(t, "; unchanged: candidate and history: "+repair+"; config: "+config, said("candidate", "history", "config"))
	plain := errors.New("no route to host")
	require.Equal(t, plain, WithRemedies(plain, "unchanged"))
}
