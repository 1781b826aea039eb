package output

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
)

func TestYAMLIsTheJSON(t *testing.T) {
	type inner struct {
		Zone  string            `json:"zone"`
		Count uint64            `json:"count"`
		At    time.Time         `json:"at"`
		Wait  Duration          `json:"wait"`
		Tags  map[string]string `json:"tags"`
		Next  *inner            `json:"next"`
		Empty []string          `json:"empty"`
	}
	value := []inner{{
		Zone: "no", Count: 1<<64 - 1, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Wait: Duration(90 * time.Second),
		Tags: map[string]string{"b": "1", "a": "x: y # z", "esc": "\x1b[2J"}, Empty: []string{},
	}}
	var out bytes.Buffer
	require.NoError(t, WriteYAML(&out, value))
	require.Equal(t, `- zone: "no"
  count: 18446744073709551615
  at: "2026-01-02T03:04:05Z"
  wait: 90
  tags:
    a: 'x: y # z'
    b: "1"
    esc: "\u001b[2J"
  next: null
  empty: []
`, strings.ReplaceAll(out.String(), `\e`, `\u001b`))
}

// TestOutputIsPlainAndExact: both formats preserve every text, and neither contains control
// characters of a terminal.
func TestOutputIsPlainAndExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("a \t\r\n\x00\x1b\x7f\u0085\u009b\u2028\u202e\ufeff\U000e0041:#'\"-{}[]&*!|>%@`~?,\\1.e"))))
		value := rapid.MapOf(text, rapid.SliceOf(text)).Draw(t, "value")
		for name, format := range map[string]struct {
			write     func(*bytes.Buffer) error
			unmarshal func([]byte, any) error
		}{
			"json": {func(b *bytes.Buffer) error { return WriteJSON(b, value) }, json.Unmarshal},
			"yaml": {func(b *bytes.Buffer) error { return WriteYAML(b, value) }, yaml.Unmarshal},
		} {
			var out bytes.Buffer
			require.NoError(t, format.write(&out))
			require.Equal(t, terminal.SafeLines(out.String()), out.String(), name)
			got := map[string][]string{}
			require.NoError(t, format.unmarshal(out.Bytes(), &got), "%s: %s", name, &out)
			if len(value) == 0 {
				require.Empty(t, got)
				continue
			}
			for key, list := range value {
				require.Contains(t, got, key, name)
				require.ElementsMatch(t, list, got[key], name)
			}
			require.Len(t, got, len(value), name)
		}
	})
}

func TestTablesLineUp(t *testing.T) {
	tab := Table{
		Header: []string{"A", "LONGER", "C"},
		Rows:   [][]string{{"äöü", "1", ""}, {"x", "22", "last"}, {"alone, and of any width"}},
		Style: func(p terminal.Palette, i int) func(string) string {
			if i == 1 {
				return p.Good
			}
			return nil
		},
	}
	var plain, painted bytes.Buffer
	require.NoError(t, tab.Write(&plain, terminal.Palette{}))
	require.Equal(t, "A    LONGER  C\näöü  1\nx    22      last\nalone, and of any width\n", plain.String())
	require.NoError(t, tab.Write(&painted, terminal.Palette{On: true}))
	require.Equal(t, "\x1b[1mA    LONGER  C\x1b[0m\näöü  1\n\x1b[32mx    22      last\x1b[0m\nalone, and of any width\n", painted.String())
}

// TestTablesLineUpByWidth: columns align by their width on a terminal, not by runes or bytes.
func TestTablesLineUpByWidth(t *testing.T) {
	tab := Table{Header: []string{"CANDIDATE", "ROLE"}, Rows: [][]string{
		{"ash", "a"}, {"中文節點", "b"}, {"e\u0301lan", "c"}, {"ノード一", "d"}, {"👩‍🔧", "e"}, {"ｗide", "f"},
	}}
	var out bytes.Buffer
	require.NoError(t, tab.Write(&out, terminal.Palette{}))
	require.Equal(t, `CANDIDATE  ROLE
ash        a
中文節點   b
e`+"\u0301"+`lan       c
ノード一   d
👩‍🔧         e
ｗide      f
`, out.String())
}
