package cli

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// readSchema returns the schema of the output.
func readSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("../../../docs/output.schema.json")
	require.NoError(t, err)
	var s jsonschema.Schema
	require.NoError(t, json.Unmarshal(text, &s))
	return &s
}

// definition returns a validator for one definition of the schema.
func definition(t *testing.T, s *jsonschema.Schema, name string) *jsonschema.Resolved {
	t.Helper()
	require.Contains(t, s.Defs, name, "docs/output.schema.json lacks what this command prints")
	one := &jsonschema.Schema{Schema: s.Schema, Defs: s.Defs, Ref: "#/$defs/" + strings.ReplaceAll(name, " ", "%20")}
	resolved, err := one.Resolve(nil)
	require.NoError(t, err)
	return resolved
}

// scene is one run of a command on an election in a given state.
type scene struct {
	does func(m *clitest.Manual)
	args []string
	code int
}

func led(m *clitest.Manual) { m.Claims(m.One, time.Now()) }

func handed(m *clitest.Manual) {
	led(m)
	m.HandsOver(time.Now())
}

func challenged(m *clitest.Manual) {
	led(m)
	m.Does(func(tr kv.Transaction) error { return m.RequestTransfer(tr, 1, "two", uuid.UUID{8}) })
}

func damaged(record ...string) func(m *clitest.Manual) {
	return func(m *clitest.Manual) {
		led(m)
		m.Does(func(tr kv.Transaction) error {
			tr.Set(m.Subspace().Sub(record...).Bytes(), []byte("rubbish"))
			return nil
		})
	}
}

// later makes an election with a leader, and runs act a while after the command began.
func later(act func(tr kv.Transaction, m *clitest.Manual) error) func(m *clitest.Manual) {
	return func(m *clitest.Manual) {
		led(m)
		time.AfterFunc(100*time.Millisecond, func() {
			_ = m.Transact(m.T.Context(), func(tr kv.Transaction) error { return act(tr, m) })
		})
	}
}

func steppedDown(tr kv.Transaction, m *clitest.Manual) error {
	return m.ResignLeadership(tr, m.Leader().Token(), time.Now())
}

func renewed(tr kv.Transaction, m *clitest.Manual) error {
	_, err := m.RefreshLease(tr, m.Leader().Token(), time.Now())
	return err
}

// handsOn makes an election whose leader fulfils a transfer request, and whose target
// accepts.
func handsOn(m *clitest.Manual) {
	led(m)
	time.AfterFunc(100*time.Millisecond, func() {
		_ = m.Transact(m.T.Context(), func(tr kv.Transaction) error {
			intent, err := m.ReadRequest(tr)
			if err != nil {
				return err
			}
			_, _, err = m.HandOver(tr, m.Leader().Token(), intent, time.Now())
			return err
		})
		_ = m.Transact(m.T.Context(), func(tr kv.Transaction) error {
			_, err := m.RunElectionCycle(tr, m.Two, time.Now(), election.WithObservation(election.Observation{}, time.Now()))
			return err
		})
	})
}

// scenes returns runs of every command that has --output.
func scenes() map[string][]scene {
	nothing := func(*clitest.Manual) {}
	all := map[string][]scene{
		"status": {
			{does: nothing},
			{does: led},
			{does: handed},
			{does: challenged},
			{damaged("intent"), nil, exit.CodeFailure},
			{damaged("term"), nil, exit.CodeFailure},
			{led, []string{"--wait"}, exit.CodeTimedOut},
			{later(renewed), []string{"--wait"}, exit.CodeDone},
		},
		"list":       {{does: nothing}, {does: led}, {does: grouped}, {damagedGroup("group"), nil, exit.CodeFailure}, {damaged("intent"), nil, exit.CodeFailure}, {led, []string{"--root", "other"}, exit.CodeDone}},
		"candidates": {{does: nothing}, {does: led}, {led, []string{"--quick"}, exit.CodeDone}, {damaged("candidates", "x"), nil, exit.CodeFailure}},
		"history": {{does: nothing}, {does: handed}, {does: func(m *clitest.Manual) {
			led(m)
			m.Does(func(tr kv.Transaction) error { return m.ResignLeadership(tr, m.Leader().Token(), time.Now()) })
			m.Does(func(tr kv.Transaction) error {
				return m.RecordDuplicate(tr, m.One.Identity, election.Identity{ID: "one", Incarnation: uuid.UUID{7}}, time.Now())
			})
		}}},
		"watch": {
			{led, []string{"--for", "1s"}, exit.CodeDone},
			{damaged("candidates", "x"), []string{"--for", "20s"}, exit.CodeDone},
			{later(steppedDown), []string{"--for", "20s"}, exit.CodeDone},
		},
		"init":           {{nothing, []string{"--election", "new"}, exit.CodeDone}, {does: nothing}},
		"config get":     {{does: nothing}},
		"config set":     {{nothing, []string{"lease=20s"}, exit.CodeDone}, {nothing, []string{"--dry-run", "margin=2s"}, exit.CodeDone}, {damaged("config"), []string{"--defaults"}, exit.CodeDone}},
		"config enable":  {{does: nothing}},
		"config disable": {{does: led}},
		"resign": {
			{does: later(steppedDown)},
			{led, []string{"--force"}, exit.CodeDone},
			{led, []string{"--force", "--yes"}, exit.CodeDone},
			{handed, []string{"--term", "1"}, exit.CodeDone},
		},
		"transfer": {
			{handsOn, []string{"--to", "two"}, exit.CodeDone},
			{led, []string{"--to", "one"}, exit.CodeDone},
		},
		"cancel":     {{does: nothing}, {does: challenged}, {does: damaged("intent")}},
		"evict":      {{does: led}, {led, []string{"--dry-run"}, exit.CodeDone}, {damaged("candidates", "x"), nil, exit.CodeFailure}},
		"unregister": {{led, []string{"two"}, exit.CodeDone}, {led, []string{"--force", "one"}, exit.CodeDone}},
		"repair":     {{does: nothing}, {does: damaged("candidates", "x")}, {does: damaged("term")}},
		"raise-term": {{led, []string{"--floor", "9", "--force"}, exit.CodeDone}, {nothing, []string{"--floor", "1"}, exit.CodeDone}, {handed, []string{"--floor", "1"}, exit.CodeDone}},
		"doctor":     {{does: led, code: exit.CodeDone}, {grouped, []string{"--group", "default", "--quick"}, exit.CodeDone}, {damagedGroup("shards", "s1"), []string{"--group", "default"}, exit.CodeFailure}, {led, []string{"--quick"}, exit.CodeDone}, {damaged("candidates", "x"), []string{"--quick"}, exit.CodeFailure}},
		"bench":      {{nothing, []string{"--count", "3"}, exit.CodeDone}},
		"simulate":   {{nothing, []string{"--seed", "7"}, exit.CodeDone}, {nothing, []string{"--seeds", "2", "--jobs", "1", "--faulty", "10s", "--quiet", "1m"}, exit.CodeDone}},
		"version":    {{does: nothing}},
	}
	maps.Copy(all, groupScenes())
	return all
}

// reporting returns the commands that have --output.
func reporting(c *cobra.Command) (names []string) {
	if c.Flags().Lookup("output") != nil {
		names = append(names, strings.TrimPrefix(c.CommandPath(), "fdbelect "))
	}
	for _, sub := range c.Commands() {
		names = append(names, reporting(sub)...)
	}
	return names
}

// TestOutputIsAsTheSchemaSays: the JSON and YAML output of every command that has one
// matches its definition in the schema, in every state of the election.
func TestOutputIsAsTheSchemaSays(t *testing.T) {
	schema := readSchema(t)
	all := scenes()
	require.ElementsMatch(t, reporting((&app{Program: &session.Program{}}).rootCommand()), slices.Collect(maps.Keys(all)), "each needs a scene")
	for name, runs := range all {
		resolved := definition(t, schema, name)
		for i, run := range runs {
			for _, output := range []string{"json", "yaml"} {
				t.Run(fmt.Sprintf("%s/%d/%s", name, i, output), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						m := clitest.NewManual(t)
						run.does(m)
						args := append(append(strings.Fields(name), "-o", output), run.args...)
						t.Setenv("FDBELECT_STORE", "test:") // some take no --store
						var out, errs bytes.Buffer
						a := &app{Program: &session.Program{Stdout: &out, Stderr: &errs, Clock: clitest.Virtual{}, Random: rand.Reader, Stores: []session.Store{clitest.StoreOf(m)}}}
						code := exit.Code(a.exec(t.Context(), args))
						stdout, stderr := out.String(), errs.String()
						require.Equal(t, run.code, code, "%s%s", stdout, stderr)
						values := valuesOf(t, output, stdout)
						require.NotEmpty(t, values, stderr)
						if !strings.HasSuffix(name, "watch") {
							require.Len(t, values, 1)
						}
						for _, v := range values {
							require.NoError(t, resolved.Validate(v), "%s", stdout)
							checkTimes(t, "", v)
						}
					})
				})
			}
		}
	}
}

// valuesOf returns the values of a text, as JSON has them.
func valuesOf(t *testing.T, output, text string) (values []any) {
	t.Helper()
	if output == "json" {
		for dec := json.NewDecoder(strings.NewReader(text)); dec.More(); {
			var v any
			require.NoError(t, dec.Decode(&v))
			values = append(values, v)
		}
		return values
	}
	for dec := yaml.NewDecoder(strings.NewReader(text)); ; {
		var v, again any
		if dec.Decode(&v) != nil {
			return values
		}
		encoded, err := json.Marshal(v)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(encoded, &again))
		values = append(values, again)
	}
}

// checkTimes checks what the schema does not say: every time is in UTC.
func checkTimes(t *testing.T, name string, value any) {
	t.Helper()
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			checkTimes(t, name, inner)
		}
	case []any:
		for _, inner := range value {
			checkTimes(t, name, inner)
		}
	case string:
		if slices.Contains([]string{"time", "since", "last_heartbeat", "lease_expiry", "joined"}, name) {
			at, err := time.Parse(time.RFC3339Nano, value)
			require.NoError(t, err, name)
			require.Equal(t, time.UTC, at.Location(), "%s %s", name, value)
		}
	}
}

// TestSchemaHasOneNameForOneThing: one name has one type and one meaning in all
// definitions. All members are always present, and a duration is a number of seconds.
func TestSchemaHasOneNameForOneThing(t *testing.T) {
	seen := make(map[string]string)
	objects := 0
	var walk func(where string, s *jsonschema.Schema)
	walk = func(where string, s *jsonschema.Schema) {
		if s == nil {
			return
		}
		require.True(t, s.Ref != "" || s.Description != "", where)
		if s.Properties != nil {
			objects++
			require.ElementsMatch(t, slices.Collect(maps.Keys(s.Properties)), s.Required, "%s: all members are required", where)
			require.NotNil(t, s.AdditionalProperties, "%s: there are no others", where)
		}
		for name, p := range s.Properties {
			kind := *p
			if kind.Ref == "" && kind.Items == nil && len(kind.Enum) == 0 {
				kind.Minimum, kind.Description = nil, ""
			}
			text, err := json.Marshal(&kind)
			require.NoError(t, err)
			if before, known := seen[name]; known {
				require.Equal(t, before, string(text), "%s: %s is another thing elsewhere", where, name)
			}
			seen[name] = string(text)
			if p.Type == "number" && !slices.Contains([]string{"per_second"}, name) {
				require.True(t, strings.HasSuffix(name, "_seconds"), "%s: %s", where, name)
			}
			walk(where+"."+name, p)
		}
		if s.Items != nil && s.Items.Properties != nil {
			walk(where+"[]", s.Items)
		}
	}
	for name, s := range readSchema(t).Defs {
		walk(name, s)
	}
	require.Greater(t, objects, 20)
}
