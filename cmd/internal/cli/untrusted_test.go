package cli_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/cli"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

// hostile would clear a screen, hide text or turn it round: C0 and C1 controls, a
// zero-width character, a change of direction, a private plane.
const hostile = "x\x1b[2J\x07\u009b2J\u200b\u202e\U000e0041"

// untrusted returns a store file whose election has hostile names that no registration
// accepts but that another program may write: in keys and in values, in metadata, the
// history and a request. Another election has a hostile name.
func untrusted(t *testing.T) (file string) {
	t.Helper()
	file = processtest.StoreFile(t)
	db, err := filekv.Open(file, filekv.Options{})
	require.NoError(t, err)
	defer db.Close()
	e := election.New(subspace.New("fdbelection", "default"))
	do := func(fn func(tr kv.Transaction) error) {
		t.Helper()
		require.NoError(t, db.Transact(t.Context(), fn))
	}
	config := fdbelection.DefaultConfig() // its lease is long: a busy machine does not look like a slow store
	config.HeartbeatInterval, config.CandidateTimeout = 10*time.Millisecond, 100*time.Millisecond
	for _, e := range []*election.LeaderElection{e, election.New(subspace.New("fdbelection", hostile))} {
		do(func(tr kv.Transaction) error {
			_, err := e.InitializeWithConfig(tr, config)
			return err
		})
	}
	for _, id := range []string{"plain", "other"} {
		me := election.Registration{
			Identity: election.Identity{ID: id, Incarnation: uuid.New()},
			Metadata: map[string]string{hostile: hostile},
		}
		do(func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, time.Now()) })
		if id == "plain" {
			do(func(tr kv.Transaction) error { _, err := e.TryClaimLeadership(tr, me.Identity, time.Now()); return err })
		}
	}
	do(func(tr kv.Transaction) error {
		return e.RegisterCandidate(tr, election.Registration{Identity: election.Identity{ID: "cold"}, NotReady: hostile}, time.Now())
	})
	do(func(tr kv.Transaction) error { return e.RequestTransfer(tr, 1, "other", uuid.New()) })
	do(func(tr kv.Transaction) error {
		named := func(id string) []byte { return subspace.AppendString(nil, id) }
		replace := func(key []byte, from string) error {
			value, err := tr.Get(key).Get()
			tr.Set(key, bytes.Replace(value, named(from), named(hostile), 1))
			return err
		}
		candidates := e.Subspace().Sub("candidates")
		value, err := tr.Get(candidates.Sub("other").Bytes()).Get()
		if err != nil {
			return err
		}
		tr.Set(candidates.Sub(hostile).Bytes(), value)
		began, err := e.Subspace().Sub("history").Pack(subspace.Tuple{subspace.Int(1), subspace.Int(0)})
		if err != nil {
			return err
		}
		return errors.Join(
			replace(e.Subspace().Sub("leader").Bytes(), "plain"), replace(e.Subspace().Sub("term").Bytes(), "plain"),
			replace(e.Subspace().Sub("intent").Bytes(), "other"), replace(began, "plain"), replace(began, "vacancy"),
		)
	})
	return file
}

// TestUntrustedText: no text in the store controls a terminal, neither in results nor in
// errors. Scripts get it unchanged.
func TestUntrustedText(t *testing.T) {
	t.Setenv("FDBELECT_STORE", "file:"+untrusted(t))
	for _, test := range []struct {
		line string
		code int
	}{
		{"list", 0},
		{"status", 0},
		{"candidates", 0},
		{"history", 0},
		{"resign --timeout 50ms", 1},
		{"resign --replace --timeout 50ms", 5},
		{"transfer --to plain --force --timeout 50ms", 5},
		{"transfer --to other --force --timeout 50ms", 5},
		{"unregister --force plain", 0},
		{"evict --dry-run", 0},
		{"evict", 0},
		{"config disable --wait --timeout 50ms -o table", 5},
		{"raise-term --floor 9", 1},
		{"raise-term --floor 9 --force", 0},
		{"resign", 3},
	} {
		formats := []string{""}
		if slices.Contains([]string{"list", "status", "candidates", "history"}, test.line) {
			formats = []string{"table", "json", "yaml"}
		}
		for _, format := range formats {
			var more []string
			if format != "" {
				more = []string{"-o", format}
			}
			o := processtest.Typed(t, test.line, more...)
			require.Equal(t, test.code, o.Code, "%s: %s%s", test.line, o.Stdout, o.Stderr)
			for _, r := range o.Stdout + o.Stderr {
				require.True(t, r == '\n' || unicode.IsPrint(r), "%s prints %U", test.line, r)
			}
			if !slices.Contains([]string{"resign", "unregister --force plain", "evict", "evict --dry-run"}, test.line) && !strings.HasPrefix(test.line, "transfer") {
				require.Contains(t, o.Stdout+o.Stderr, `[2J`, "it is shown, %s", test.line)
			}
			switch format {
			case "json":
				require.Contains(t, texts(t, json.Unmarshal, []byte(o.Stdout)), hostile, "it is still the same text")
			case "yaml":
				require.Contains(t, texts(t, yaml.Unmarshal, []byte(o.Stdout)), hostile, "it is still the same text")
			}
		}
	}
}

// TestUntrustedRequest: the request that cancel removes is named, and does not control a
// terminal.
func TestUntrustedRequest(t *testing.T) {
	t.Setenv("FDBELECT_STORE", "file:"+untrusted(t))
	o := processtest.Typed(t, "cancel")
	require.Zero(t, o.Code, o.Stderr)
	require.Contains(t, o.Stdout, `removed: transfer to "x\x1b[2J`)
	for _, r := range o.Stdout {
		require.True(t, r == '\n' || unicode.IsPrint(r), "it prints %U", r)
	}
}

// TestUntrustedArguments: arguments do not control a terminal either: a script may have
// them from elsewhere.
func TestUntrustedArguments(t *testing.T) {
	t.Setenv("FDBELECT_STORE", "file:"+untrusted(t))
	for _, args := range [][]string{
		{"transfer", "--to", hostile},
		{"evict", hostile},
		{"unregister", hostile},
		{"config", "set", hostile},
		{"config", "set", "--defaults", hostile},
		{"config", "set", hostile + "=1"},
		{"config", "set", "lease=" + hostile},
		{"init", "--expiry", hostile},
		{"status", "--election", hostile},
		{"list", "--root", hostile},
		{"list", "-o", hostile},
		{"history", "--limit", hostile},
		{"history", hostile},
		{"raise-term", "--floor", hostile},
		{"config", hostile},
		{"group", hostile},
		{"group", "create", hostile},
		{"group", "create", "--shard-names", hostile},
		{"group", "status", "--group", hostile},
		{"group", "pin", "--to", hostile, "s"},
		{"group", "drain", hostile},
		{"group", "remove", hostile},
		{"group", "config", "set", hostile},
		{hostile},
		{"--" + hostile},
	} {
		var out bytes.Buffer
		err := cli.Exec(t.Context(), args, strings.NewReader(""), &out, &out)
		require.Equal(t, 2, exit.Code(err), "%q: %s", args, &out)
		for _, r := range out.String() {
			require.True(t, r == '\n' || unicode.IsPrint(r), "%q prints %U", args, r)
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

// TestUnreadableRecords: unreadable records are named, and the others are listed.
func TestUnreadableRecords(t *testing.T) {
	file := processtest.StoreFile(t)
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
	require.Equal(t, 1, exit.Code(err))
	require.Contains(t, stdout.String(), "sound")
	require.Contains(t, stderr.String(), "broken")

	leader := e.Subspace().Sub("leader").Bytes()
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error { tr.Set(leader, []byte{0x15, 9}); return nil }))
	_, stderr, err = show("status")
	require.Equal(t, 1, exit.Code(err))
	require.Contains(t, stderr.String(), "leader at key")
}
