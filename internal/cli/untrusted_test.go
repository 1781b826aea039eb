package cli_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

// hostile is what would clear a screen, hide text or turn it round: C0 and C1
// controls, a zero-width character, a change of direction, a private plane.
const hostile = "x\x1b[2J\x07\u009b2J\u200b\u202e\U000e0041"

// Whatever is in the store, nothing of it steers a terminal.
func TestUntrustedText(t *testing.T) {
	file := storeFile(t)
	db, err := filekv.Open(file, filekv.Options{})
	require.NoError(t, err)
	defer db.Close()
	e := election.New(subspace.New("fdbelection", "default"))
	me := election.Registration{
		Identity: election.Identity{ID: "plain", Incarnation: uuid.New()},
		Metadata: map[string]string{hostile: hostile},
	}
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		if _, err := e.Initialize(tr); err != nil {
			return err
		}
		return e.RegisterCandidate(tr, me, time.Now())
	}))
	// An id that no registration would let in, as another program may write it:
	// in a candidate's key, and in the leader record.
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		if _, err := e.TryClaimLeadership(tr, me.Identity, time.Now()); err != nil {
			return err
		}
		candidates := e.Subspace().Sub("candidates")
		value, err := tr.Get(candidates.Sub("plain").Bytes()).Get()
		if err != nil {
			return err
		}
		tr.Set(candidates.Sub(hostile).Bytes(), value)
		leader := e.Subspace().Sub("leader").Bytes()
		if value, err = tr.Get(leader).Get(); err != nil {
			return err
		}
		named := func(id string) []byte { return subspace.AppendString(nil, id) }
		tr.Set(leader, bytes.Replace(value, named("plain"), named(hostile), 1))
		return nil
	}))
	for _, args := range [][]string{
		{"status"},
		{"status", "-o", "json"},
		{"status", "-o", "yaml"},
		{"candidates"},
		{"candidates", "-o", "json"},
		{"candidates", "-o", "yaml"},
	} {
		var stdout, stderr bytes.Buffer
		err := cli.Exec(t.Context(), append(args, "--store", "file:"+file), strings.NewReader(""), &stdout, &stderr)
		require.NoError(t, err)
		require.Contains(t, stdout.String(), `[2J`, "it is shown, %v", args)
		for _, r := range stdout.String() {
			require.True(t, r == '\n' || unicode.IsPrint(r), "%v prints %U", args, r)
		}
		switch args[len(args)-1] {
		case "json":
			require.Contains(t, texts(t, json.Unmarshal, stdout.Bytes()), hostile, "it is still the same text")
		case "yaml":
			require.Contains(t, texts(t, yaml.Unmarshal, stdout.Bytes()), hostile, "it is still the same text")
		}
	}
}

// texts returns all strings in a JSON or YAML text.
func texts(t *testing.T, unmarshal func([]byte, any) error, text []byte) (all []string) {
	t.Helper()
	var value any
	require.NoError(t, unmarshal(text, &value))
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		case map[string]any:
			for key, inner := range v {
				all = append(all, key)
				walk(inner)
			}
		}
	}
	walk(value)
	return all
}

// Records that cannot be read are named; the others are listed all the same.
func TestUnreadableRecords(t *testing.T) {
	file := storeFile(t)
	db, err := filekv.Open(file, filekv.Options{})
	require.NoError(t, err)
	defer db.Close()
	e := election.New(subspace.New("fdbelection", "default"))
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		if _, err := e.Initialize(tr); err != nil {
			return err
		}
		tr.Set(e.Subspace().Sub("candidates").Sub("broken").Bytes(), []byte("rubbish"))
		return e.RegisterCandidate(tr, election.Registration{Identity: election.Identity{ID: "sound"}}, time.Now())
	}))
	show := func(command string) (stdout, stderr bytes.Buffer, err error) {
		err = cli.Exec(t.Context(), []string{command, "--store", "file:" + file}, strings.NewReader(""), &stdout, &stderr)
		return stdout, stderr, err
	}
	stdout, stderr, err := show("candidates")
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	require.Equal(t, 1, cli.ExitCode(err))
	require.Contains(t, stdout.String(), "sound")
	require.Contains(t, stderr.String(), "broken")

	leader := e.Subspace().Sub("leader").Bytes()
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error { tr.Set(leader, []byte{0x15, 9}); return nil }))
	_, stderr, err = show("status")
	require.Equal(t, 1, cli.ExitCode(err))
	require.Contains(t, stderr.String(), "leader at key")
}
