package fdbelection_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
)

// TestTypedErrors: the text of a typed error holds all of its fields. The error matches
// its sentinel and no other one.
func TestTypedErrors(t *testing.T) {
	sentinels := []error{fdbelection.ErrInvalidConfig, fdbelection.ErrInvalidCandidate, fdbelection.ErrInvalidState}
	for _, c := range []struct {
		err      error
		sentinel error
		text     string
	}{
		{
			&fdbelection.InvalidConfigError{Faults: []fdbelection.ConfigFault{{Field: "A", Problem: "is 1"}, {Field: "B", Problem: "is 2"}}},
			fdbelection.ErrInvalidConfig, "invalid config: A is 1; B is 2",
		},
		{
			&fdbelection.InvalidCandidateError{Field: "id", Problem: "is empty"},
			fdbelection.ErrInvalidCandidate, "invalid candidate: id is empty",
		},
		{
			&fdbelection.InvalidStateError{Key: []byte("k\x00\u00e9\u202e"), Record: "leader", Problem: "is cut off"},
			fdbelection.ErrInvalidState, `invalid stored record: leader at key "k\x00\u00e9\u202e": is cut off`,
		},
		{
			&fdbelection.InvalidStateError{}, fdbelection.ErrInvalidState, `invalid stored record:  at key "": `,
		},
	} {
		require.EqualError(t, c.err, c.text)
		for _, sentinel := range sentinels {
			require.Equal(t, errors.Is(sentinel, c.sentinel), errors.Is(c.err, sentinel), "%v as %v", c.err, sentinel)
		}
	}
}

func TestParseExpiryModeNamesItsField(t *testing.T) {
	for _, text := range []string{"", "Clock", "clock ", "1", "\x00"} {
		_, err := fdbelection.ParseExpiryMode(text)
		require.ErrorIs(t, err, fdbelection.ErrInvalidConfig)
		require.ErrorContains(t, err, `Expiry is "`)
	}
}
