// Package golden compares stored records with golden ones in testdata/format.txt, which
// programs in other languages can use too.
package golden

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/subspace"
)

var update = flag.Bool("update", false, "rewrite testdata/format.txt")

const file = "testdata/format.txt"

// Record is a golden record.
type Record struct {
	Name       string
	Key, Value []byte
	// decode reads the record. It is nil for a template of a versionstamped operation.
	decode func(key, value []byte) (any, error)
	want   any
}

// Of returns a golden record that decode reads as want. If decode is nil, nothing reads it.
func Of(name string, key, value []byte, decode func(key, value []byte) (any, error), want any) Record {
	return Record{name, key, value, decode, want}
}

// Check compares records with the golden file, and reads them back.
func Check(t *testing.T, records []Record) {
	t.Helper()
	var now strings.Builder
	now.WriteString("# Golden records: a name, the key in hex, the value in hex. docs/format.md says what they hold.\n")
	for _, r := range records {
		fmt.Fprintf(&now, "%s\n\t%s\n\t%s\n", r.Name, hex.EncodeToString(r.Key), hex.EncodeToString(r.Value))
		if r.decode == nil {
			continue
		}
		got, err := r.decode(r.Key, r.Value)
		require.NoError(t, err, r.Name)
		require.Equal(t, r.want, got, r.Name)
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(now.String()), 0o644))
	}
	stored, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(stored), now.String(), "the stored format has changed; if you meant to change it, run this test with -update")
}

// Stamped returns what a commit with a stamp makes of a template of a versionstamped operation.
func Stamped(t testing.TB, template []byte, stamp subspace.Versionstamp) []byte {
	t.Helper()
	n := len(template) - 4
	offset := int(template[n]) | int(template[n+1])<<8 | int(template[n+2])<<16 | int(template[n+3])<<24
	require.LessOrEqual(t, offset+10, n)
	stamped := append([]byte(nil), template[:n]...)
	copy(stamped[offset:], stamp.Transaction[:])
	return stamped
}

// Value returns the bytes of a value in hex.
func Value(t *testing.T, text string) []byte {
	t.Helper()
	value, err := hex.DecodeString(text)
	require.NoError(t, err)
	return value
}
