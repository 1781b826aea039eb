package serve

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// handler returns a handler for the elections of a database.
func handler(db kv.Database, set ...func(*Options)) http.Handler {
	o := Options{
		Database: db, Space: subspace.New("fdbelection"), Store: "test:", Root: "fdbelection",
		Clock: clitest.Virtual{}, Logger: slog.New(slog.DiscardHandler), LocalOnly: true,
	}
	for _, one := range set {
		one(&o)
	}
	return NewHandler(o)
}

// get returns the answer to a request. headers are pairs.
func get(h http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.Host = "localhost:8300"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// description is openapi.json.
type description struct {
	Paths map[string]map[string]struct {
		Responses map[string]struct {
			Content map[string]struct {
				Schema *jsonschema.Schema `json:"schema"`
			} `json:"content"`
		} `json:"responses"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]*jsonschema.Schema `json:"schemas"`
	} `json:"components"`
}

// readDescription returns openapi.json, with references as a JSON Schema has them.
func readDescription(t *testing.T) (d description) {
	t.Helper()
	text, err := files.ReadFile("openapi.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(string(text), "#/components/schemas/", "#/$defs/")), &d))
	return d
}

// requireValid checks a JSON text against a schema of the description.
func (d *description) requireValid(t *testing.T, schema *jsonschema.Schema, text []byte) {
	t.Helper()
	whole := *schema
	whole.Defs = d.Components.Schemas
	resolved, err := whole.Resolve(nil)
	require.NoError(t, err)
	var value any
	require.NoError(t, json.Unmarshal(text, &value), "%s", text)
	require.NoError(t, resolved.Validate(value), "%s", text)
}

// requireDescribed checks an answer of a path against the description.
func (d *description) requireDescribed(t *testing.T, path string, w *httptest.ResponseRecorder) {
	t.Helper()
	response, known := d.Paths[path]["get"].Responses[strconv.Itoa(w.Code)]
	require.True(t, known, "%s: %d is not described", path, w.Code)
	require.Equal(t, "application/json; charset=utf-8", w.Header().Get("Content-Type"))
	d.requireValid(t, response.Content["application/json"].Schema, w.Body.Bytes())
}

// states are states of an election that the API has to describe.
var states = map[string]func(m *clitest.Manual){
	"vacant":      func(*clitest.Manual) {},
	"led":         func(m *clitest.Manual) { m.Claims(m.One, time.Now()) },
	"handed over": func(m *clitest.Manual) { m.Claims(m.One, time.Now()); m.HandsOver(time.Now()) },
	"asked": func(m *clitest.Manual) {
		m.Claims(m.One, time.Now())
		m.Does(func(tr kv.Transaction) error { return m.RequestTransfer(tr, 1, "two", uuid.UUID{8}) })
	},
	"delayed, not ready, with tags": func(m *clitest.Manual) {
		m.Claims(m.One, time.Now())
		m.Two.NotReady, m.Two.Metadata = "cache is cold", map[string]string{"zone": "<b>"}
		m.Two.Delay = election.Delay{Rule: "hold_off", Until: time.Now().Add(time.Hour)}
		m.Does(func(tr kv.Transaction) error { return m.RegisterCandidate(tr, m.Two, time.Now()) })
	},
	"damaged leader":    damage("leader"),
	"damaged config":    damage("config"),
	"damaged candidate": damage("candidates", "x"),
	"damaged history":   damage("history", "x"),
	"deleted leader": func(m *clitest.Manual) {
		m.Claims(m.One, time.Now())
		m.Does(func(tr kv.Transaction) error { tr.Clear(m.Subspace().Sub("leader").Bytes()); return nil })
	},
}

func damage(record ...string) func(m *clitest.Manual) {
	return func(m *clitest.Manual) {
		m.Claims(m.One, time.Now())
		m.Does(func(tr kv.Transaction) error {
			tr.Set(m.Subspace().Sub(record...).Bytes(), []byte("rubbish"))
			return nil
		})
	}
}

// TestAnswersAreAsDescribed: every answer of the API matches openapi.json, in every state.
func TestAnswersAreAsDescribed(t *testing.T) {
	d := readDescription(t)
	for name, state := range states {
		t.Run(name, func(t *testing.T) {
			m := clitest.NewManual(t)
			state(m)
			h := handler(m.Database)
			for path := range d.Paths {
				if path == "/api/v1/stream" || strings.Contains(path, "/group/") {
					continue // see TestStream and TestAnswersOfGroupsAreAsDescribed
				}
				w := get(h, path+"?election=default")
				require.Equal(t, http.StatusOK, w.Code, "%s: %s", path, w.Body)
				d.requireDescribed(t, path, w)
				if path == "/api/v1/list" {
					continue
				}
				w = get(h, path+"?election=%3Cx%3E")
				require.Equal(t, http.StatusNotFound, w.Code)
				d.requireDescribed(t, path, w)
				w = get(h, path)
				require.Equal(t, http.StatusNotFound, w.Code)
				require.Contains(t, w.Body.String(), "?election=NAME")
				d.requireDescribed(t, path, w)
			}
		})
	}
	m := clitest.NewManual(t)
	w := get(handler(m.Database), "/api/v1/history?election=default&limit=-1")
	require.Equal(t, http.StatusBadRequest, w.Code)
	d.requireDescribed(t, "/api/v1/history", w)
	require.Equal(t, http.StatusNotFound, get(handler(m.Database), "/api/v1/other").Code)
	require.Equal(t, http.StatusOK, get(handler(m.Database), "/api/v1/openapi.json").Code)
}

// TestNamesAreThoseOfTheCommand: what the API shares with the output of the command is
// described in the same way.
func TestNamesAreThoseOfTheCommand(t *testing.T) {
	text, err := os.ReadFile("../../../docs/output.schema.json")
	require.NoError(t, err)
	var command struct {
		Defs map[string]map[string]any `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(text, &command))
	text, err = files.ReadFile("openapi.json")
	require.NoError(t, err)
	renamed := strings.NewReplacer("#/components/schemas/groupMember", "#/$defs/group member", "#/components/schemas/groupConfig", "#/$defs/group config", "#/components/schemas/", "#/$defs/")
	var api struct {
		Components struct {
			Schemas map[string]map[string]any `json:"schemas"`
		} `json:"components"`
	}
	require.NoError(t, json.Unmarshal([]byte(renamed.Replace(string(text))), &api))
	// The command has spaces in its names, and a schema of the description cannot.
	of := map[string]string{
		"groupConfig": "group config", "groupMember": "group member", "groupShard": "group shard",
		"groupChange": "group change", "groupStatus": "group status",
	}
	for name, own := range map[string][]string{
		"groupConfig": nil, "groupMember": {"silent"}, "groupShard": nil, "groupChange": nil, "groupStatus": {"waited_seconds"},
		"party": nil, "record": nil, "config": nil, "request": nil, "tenure": nil, "delay": nil, "member": nil, "change": nil,
		"status": {"settled", "waited_seconds"}, "listed": nil,
	} {
		ours := api.Components.Schemas[name]["properties"].(map[string]any)
		for member, schema := range command.Defs[cmp.Or(of[name], name)]["properties"].(map[string]any) {
			require.Contains(t, ours, member, name)
			if !reflect.DeepEqual(schema, ours[member]) {
				require.Contains(t, own, member, "%s: %s is described in another way", name, member)
			}
		}
	}
}

// A leader is settled after a renewal was seen. Its lease then counts from there, whatever
// the clock of its host says.
func TestSettled(t *testing.T) {
	m := clitest.NewManual(t)
	status := func(h http.Handler) (s struct {
		Settled   *bool    `json:"settled"`
		Remaining *float64 `json:"lease_remaining_seconds"`
	},
	) {
		require.NoError(t, json.Unmarshal(get(h, "/api/v1/status?election=default").Body.Bytes(), &s))
		return s
	}
	s := status(handler(m.Database))
	require.False(t, *s.Settled)
	require.Nil(t, s.Remaining)

	clock := &stepped{}
	h := handler(m.Database, func(o *Options) { o.Clock = clock })
	m.Claims(m.One, time.Now().Add(-8*time.Second)) // its clock is behind
	s = status(h)
	require.Nil(t, s.Settled, "by the clocks its lease is live")
	require.InDelta(t, 2, *s.Remaining, 1)
	clock.passed += time.Second
	m.Claims(m.One, time.Now().Add(-time.Hour))
	s = status(h)
	require.True(t, *s.Settled, "it has renewed")
	require.InDelta(t, 10, *s.Remaining, 0.001)
	clock.passed += 9 * time.Second
	s = status(h)
	require.True(t, *s.Settled)
	require.InDelta(t, 1, *s.Remaining, 0.001)
	clock.passed += 2 * time.Second
	s = status(h)
	require.False(t, *s.Settled)
	require.InDelta(t, -1, *s.Remaining, 0.001)
}

// After a pause without a page or a request, the renewals and heartbeats of that time prove
// nothing: the leader and the candidates may have died since.
func TestSettledAfterAPause(t *testing.T) {
	m := clitest.NewManual(t)
	clock := &walled{}
	h := handler(m.Database, func(o *Options) { o.Clock = clock })
	beats := func() {
		m.Claims(m.One, clock.Wall())
		m.Claims(m.Two, clock.Wall())
	}
	requireElection := func(settled *bool, alive int) {
		t.Helper()
		var all []listed
		require.NoError(t, json.Unmarshal(get(h, "/api/v1/list").Body.Bytes(), &all))
		require.Equal(t, settled, all[0].Settled)
		require.Equal(t, alive, all[0].Alive)
	}
	yes, no := true, false
	beats()
	requireElection(nil, 2)
	clock.passed += time.Second
	beats()
	requireElection(&yes, 2)
	clock.passed += time.Minute
	beats()
	clock.passed += time.Hour
	requireElection(&no, 0)
	beats()
	clock.passed += time.Second
	requireElection(&yes, 2)
	clock.passed += time.Hour
	beats()
	requireElection(nil, 2) // by the clocks
}

// Records that were restored from a backup prove nothing: their leader may be dead for long.
func TestSettledAfterARestore(t *testing.T) {
	m := clitest.NewManual(t)
	clock := &walled{}
	h := handler(m.Database, func(o *Options) { o.Clock = clock })
	m.Claims(m.One, clock.Wall())
	backup := clitest.Contents(t, m.Database)
	for range 3 {
		clock.passed += 9 * time.Second
		m.Claims(m.One, clock.Wall())
		get(h, "/api/v1/list")
	}
	clock.passed += time.Second
	m.Does(func(tr kv.Transaction) error {
		tr.ClearRange(nil, []byte{0xff})
		for _, row := range backup {
			tr.Set(row.Key, row.Value)
		}
		return nil
	})
	var all []listed
	require.NoError(t, json.Unmarshal(get(h, "/api/v1/list").Body.Bytes(), &all))
	require.False(t, *all[0].Settled)
	require.Zero(t, all[0].Alive)
	m.Claims(m.One, clock.Wall())
	clock.passed += time.Second
	require.NoError(t, json.Unmarshal(get(h, "/api/v1/list").Body.Bytes(), &all))
	require.True(t, *all[0].Settled)
	require.Equal(t, 1, all[0].Alive)
}

// stepped is a clock that a test moves.
type stepped struct {
	clitest.Virtual
	passed time.Duration
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (c *stepped) Now() time.Time { return epoch.Add(c.passed) }

// walled is a clock whose wall clock moves as well.
type walled struct{ stepped }

func (c *walled) Wall() time.Time { return time.Now().Add(c.passed) }
