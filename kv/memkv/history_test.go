package memkv

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// history is one recorded interleaving of several transactions, with the results of
// the real database.
type history struct {
	Seed  int64  `json:"seed"`
	Kind  string `json:"kind"`
	Steps []step `json:"steps"`
}

// step is one operation of a history.
type step struct {
	T        int     `json:"t"`
	Op       string  `json:"op"`
	Key      string  `json:"k,omitempty"`
	End      string  `json:"e,omitempty"`
	Value    string  `json:"v,omitempty"`
	Post     string  `json:"post,omitempty"`
	Offset   int     `json:"off,omitempty"`
	N        int     `json:"n,omitempty"`
	Limit    int     `json:"limit,omitempty"`
	Code     int     `json:"code,omitempty"`
	Snapshot bool    `json:"snap,omitempty"`
	Reverse  bool    `json:"rev,omitempty"`
	Answer   *answer `json:"r,omitempty"`
}

// answer is the result of a step, or nil if it has none.
type answer struct {
	OK       bool        `json:"ok,omitempty"`
	ReadOnly bool        `json:"readonly,omitempty"`
	Nil      bool        `json:"nil,omitempty"`
	Value    string      `json:"v,omitempty"`
	Rows     [][2]string `json:"kvs,omitempty"`
	Info     string      `json:"info,omitempty"`
	Err      int         `json:"err,omitempty"`
}

func (a *answer) String() string {
	if a == nil {
		return "(no answer)"
	}
	b, _ := json.Marshal(a)
	return string(b)
}

// String formats a step in one line.
func (s step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "t%-2d %s", s.T, s.Op)
	if s.Key != "" || s.End != "" {
		fmt.Fprintf(&b, " %q", s.Key)
	}
	if s.End != "" {
		fmt.Fprintf(&b, " to %q", s.End)
	}
	if s.Value != "" || s.Post != "" {
		fmt.Fprintf(&b, " value %q", s.Value)
	}
	if s.Post != "" {
		fmt.Fprintf(&b, " post %q offset %d", s.Post, s.Offset)
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"n", s.N}, {"limit", s.Limit}, {"code", s.Code}} {
		if n.value != 0 {
			fmt.Fprintf(&b, " %s %d", n.name, n.value)
		}
	}
	if s.Snapshot {
		b.WriteString(" snapshot")
	}
	if s.Reverse {
		b.WriteString(" reverse")
	}
	if s.Answer != nil {
		fmt.Fprintf(&b, "  ->  %s", s.Answer)
	}
	return b.String()
}

// String formats a history, one step per line.
func (h history) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "history %d (%s)\n", h.Seed, h.Kind)
	for i, s := range h.Steps {
		fmt.Fprintf(&b, "%4d  %s\n", i, s)
	}
	return b.String()
}

// tracesFile is the file name of the recording. FDB_TRACES names the directory of
// the full recording, and testdata has a tenth of it.
const tracesFile = "traces.jsonl.gz"

// readHistories reads a recording.
func readHistories(t *testing.T, file string) []history {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	in := bufio.NewReader(z)
	var all []history
	for {
		line, err := in.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var h history
			d := json.NewDecoder(bytes.NewReader(line))
			d.DisallowUnknownFields()
			require.NoErrorf(t, d.Decode(&h), "history %d of %s", len(all), file)
			all = append(all, h)
		}
		if err == io.EOF {
			return all
		}
		require.NoError(t, err)
	}
}

// histories returns the recording in the directory that FDB_TRACES names, or the
// tenth of it in testdata.
func histories(t *testing.T) []history {
	t.Helper()
	folder := os.Getenv("FDB_TRACES")
	if folder == "" {
		folder = "testdata"
	}
	return readHistories(t, filepath.Join(folder, tracesFile))
}
