package filekv

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// A state record in which any byte is wrong is not believed, even if its numbers
// make sense.
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

// An entry of the log that is cut off or goes on too long is not believed.
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
