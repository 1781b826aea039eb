package subspace

import (
	"bufio"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// vector is a block of testdata/vectors.txt, which explains its lines.
type vector struct {
	name, tuple, err string
	hex, longer      []byte
	bad, prefix      []byte
	stamped          bool
}

func readVectors(t testing.TB) (vectors []vector) {
	f, err := os.Open("testdata/vectors.txt")
	require.NoError(t, err)
	defer f.Close()

	var v *vector
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := lines.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "name":
			vectors = append(vectors, vector{name: value})
			v = &vectors[len(vectors)-1]
		case "tuple":
			v.tuple = value
		case "hex": // may continue on further lines
			v.hex = append(v.hex, decodeHex(t, value)...)
		case "longer":
			v.longer = decodeHex(t, value)
		case "prefix":
			v.prefix, v.stamped = decodeHex(t, value), true
		case "bad":
			v.bad = decodeHex(t, value)
		case "error":
			v.err = value
		default:
			t.Fatalf("vectors.txt: unknown line %q", line)
		}
	}
	require.NoError(t, lines.Err())
	return vectors
}

func decodeHex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	require.NoError(t, err)
	return b
}

// TestVectors checks both directions: it compares the text of the unpacked tuple,
// which is different for every element, and packs the tuple again.
func TestVectors(t *testing.T) {
	vectors := readVectors(t)
	require.Greater(t, len(vectors), 100, "the file was not read to its end")
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			switch {
			case v.err != "":
				checkBadVector(t, v)
			case v.stamped:
				checkStampedVector(t, v)
			default:
				checkVector(t, v)
			}
		})
	}
}

func checkVector(t *testing.T, v vector) {
	tuple, err := Unpack(v.hex)
	require.NoError(t, err)
	require.Equal(t, v.tuple, tuple.String())
	packed, err := tuple.Pack()
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(v.hex), hex.EncodeToString(packed))

	if v.longer != nil {
		longer, err := Unpack(v.longer)
		require.NoError(t, err)
		require.Equal(t, tuple, longer)
	}
}

func checkStampedVector(t *testing.T, v vector) {
	tuple, err := Unpack(v.hex[len(v.prefix) : len(v.hex)-4])
	require.NoError(t, err)
	require.Equal(t, v.tuple, tuple.String())
	packed, err := tuple.PackWithVersionstamp(v.prefix)
	require.NoError(t, err)
	require.Equal(t, hex.EncodeToString(v.hex), hex.EncodeToString(packed))
	_, err = tuple.Pack()
	require.ErrorContains(t, err, "incomplete versionstamp")
}

func checkBadVector(t *testing.T, v vector) {
	_, err := Unpack(v.bad)
	require.ErrorContains(t, err, v.err)
	var decodeError *decodeError
	require.ErrorAs(t, err, &decodeError)

	r := NewReader(v.bad)
	for r.More() {
		r.Skip()
	}
	require.ErrorContains(t, r.Err(), v.err)
}
