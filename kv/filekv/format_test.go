package filekv

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// TestStateChecksum: a state record with any wrong byte is rejected, even if its numbers
// are plausible.
func TestStateChecksum(t *testing.T) {
	want := state{version: 1 << 40, micros: 1 << 50, floor: 1 << 39}
	encoded := want.encode()
	got, err := decodeState(encoded)
	require.NoError(t, err)
	require.Equal(t, want, got)
	for i := range encoded {
		encoded[i] ^= 1
		_, err := decodeState(encoded)
		require.Error(t, err, "byte %d", i)
		encoded[i] ^= 1
	}
}

// TestLogEntryLength: a log entry that is truncated or too long is rejected.
func TestLogEntryLength(t *testing.T) {
	e := logEntry{
		writes: []client.Range{{Begin: []byte("a"), End: []byte("b")}},
		undo:   []previous{{key: []byte("a"), value: []byte("v")}, {key: []byte("b")}},
	}
	encoded := e.encode()
	got, err := decodeLogEntry(encoded, true)
	require.NoError(t, err)
	require.Equal(t, e, got)
	_, err = decodeLogEntry(append(encoded, 0), true)
	require.ErrorIs(t, err, errLogEntry)
	for n := range encoded {
		_, err = decodeLogEntry(encoded[:n], true)
		require.ErrorIs(t, err, errLogEntry, "%d bytes", n)
	}
}
