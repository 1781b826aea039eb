package interop

import (
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/internal/testseed"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// Go and Python call the same records damaged, whatever the bytes are.
func TestBothFindTheSameDamage(t *testing.T) {
	seed := testseed.Draw(t)
	random := rand.New(rand.NewPCG(seed, 0))
	program := newPython(t, "python")
	whole := goldenRecords(t, "election", standTogether...)
	damaged := 0
	for range longtest.Pick(1000, 20000) {
		at := random.IntN(len(whole))
		records := slices.Clone(whole)
		records[at].Value = garble(random, records[at].Value)
		inGo, err := damagedInGo(t, records)
		require.NoError(t, err)
		inPython, err := damagedInPython(t, program, records)
		require.NoError(t, err)
		require.Equal(t, inGo, inPython, "%q: %x", records[at].Key, records[at].Value)
		if inGo {
			damaged++
		}
	}
	t.Log(damaged, "records were damaged")
	require.NotZero(t, damaged)
}

// standTogether are the golden records that are of one moment.
var standTogether = []string{"config", "leader", "term", "candidate, ready again", "request, with a trace context", "history"}

// goldenRecords returns the golden records with these names, or all of them.
func goldenRecords(t *testing.T, folder string, names ...string) []kv.KeyValue {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", folder, "testdata", "format.txt"))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")[1:]
	var records []kv.KeyValue
	for i := 0; i < len(lines); i += 3 {
		if len(names) > 0 && !slices.Contains(names, lines[i]) {
			continue
		}
		key, err := hex.DecodeString(strings.TrimSpace(lines[i+1]))
		require.NoError(t, err)
		value, err := hex.DecodeString(strings.TrimSpace(lines[i+2]))
		require.NoError(t, err)
		records = append(records, kv.KeyValue{Key: key, Value: value})
	}
	require.NotEmpty(t, records)
	return records
}

// garble changes a byte, removes or repeats a part, or cuts the end off.
func garble(random *rand.Rand, value []byte) []byte {
	changed := append([]byte(nil), value...)
	at := random.IntN(len(value))
	switch random.IntN(5) {
	case 0:
		return changed[:at]
	case 1:
		return append(changed[:at], value[at+random.IntN(len(value)-at):]...)
	case 2:
		return append(changed, value[at:]...)
	case 3:
		changed[at] ^= 1 << random.IntN(8)
	default:
		changed[at] = byte(random.Uint32())
	}
	return changed
}

func damagedInGo(t *testing.T, records []kv.KeyValue) (bool, error) {
	t.Helper()
	db := memkv.New(memkv.Options{})
	require.NoError(t, load(t.Context(), db, records))
	overview, err := kv.ReadTransact(t.Context(), db, func(tr kv.ReadTransaction) (election.Overview, error) {
		return election.New(space).BeginOverview(tr, 0).Await()
	})
	if err = errors.Join(err, overview.Unreadable); errors.Is(err, fdbelection.ErrInvalidState) {
		return true, nil
	}
	return false, err
}

func damagedInPython(t *testing.T, program *python, records []kv.KeyValue) (bool, error) {
	t.Helper()
	out, err := program.run(dumpOf(t, records), "show", path)
	requirePrintable(t, out)
	return strings.Contains("\n"+string(out), "\ndamaged "), err
}

func dumpOf(t *testing.T, records []kv.KeyValue) []byte {
	t.Helper()
	db := memkv.New(memkv.Options{})
	require.NoError(t, load(t.Context(), db, records))
	dump, err := kv.ReadTransact(t.Context(), db, Dump)
	require.NoError(t, err)
	return dump
}

// Whatever a database has in it, Python lists it and prints only what a terminal shows.
func TestPythonListsAnyBytes(t *testing.T) {
	seed := testseed.Draw(t)
	random := rand.New(rand.NewPCG(seed, 1))
	program := newPython(t, "python")
	whole := append(goldenRecords(t, "election"), goldenRecords(t, "group")...)
	found := 0
	for range longtest.Pick(300, 5000) {
		records := slices.Clone(whole)
		for range 1 + random.IntN(5) {
			at := random.IntN(len(records))
			if random.IntN(2) == 0 {
				records[at].Key = append([]byte{1 + byte(random.IntN(8))}, garble(random, records[at].Key)...)
			} else {
				records[at].Value = garble(random, append([]byte{0x15}, records[at].Value...))
			}
		}
		dump := dumpOf(t, records)
		for _, args := range [][]string{{"list"}, {"show", path}, {"show", "app/groups/main"}} {
			out, err := program.run(dump, args...)
			if !errors.Is(err, errRefused) {
				require.NoError(t, err)
				found++
			}
			requirePrintable(t, out)
		}
	}
	require.NotZero(t, found)
}

func requirePrintable(t *testing.T, out []byte) {
	t.Helper()
	require.True(t, utf8.Valid(out))
	for line := range strings.Lines(string(out)) {
		require.NotRegexp(t, `\pC|\p{Zl}|\p{Zp}`, strings.TrimSuffix(line, "\n"))
	}
}
