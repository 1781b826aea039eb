package elector_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// journal collects log lines.
type journal struct {
	mu  sync.Mutex
	out bytes.Buffer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.out.Write(line)
}

func (j *journal) lines() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Split(strings.TrimSpace(j.out.String()), "\n")
}

// There is one log line for each change of state and none for a heartbeat. At the debug level
// there is one for each operation.
func TestLog(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var brief, verbose journal
		a := tc.begin("a", logTo(&brief, slog.LevelInfo))
		a.leads()
		b := tc.begin("b", logTo(&verbose, slog.LevelDebug))
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat)
		before, detailed := len(brief.lines()), len(verbose.lines())
		time.Sleep(100 * heartbeat)
		require.Len(tc, brief.lines(), before)
		require.Greater(tc, len(verbose.lines()), detailed+100)
		a.stop()
		b.leads()
		changes := 0
		for _, line := range brief.lines() {
			if strings.Contains(line, `msg="state changed"`) {
				changes++
				require.Contains(tc, line, "node=a")
				require.Contains(tc, line, "reason=")
			}
		}
		require.Equal(tc, len(a.history()), changes)
		require.LessOrEqual(tc, len(brief.lines()), changes+3, "the config, the first leader record, and a claim that was seen before its answer")
	})
}

// An outage is logged when it begins and when it ends.
func TestLogOfAnOutage(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var log journal
		b := tc.begin("b", logTo(&log, slog.LevelWarn))
		b.leads()
		tc.before(of("b", fail(errDisk)))
		time.Sleep(20 * time.Minute)
		tc.before(nil)
		time.Sleep(time.Minute)
		require.LessOrEqual(tc, len(log.lines()), 8, strings.Join(log.lines(), "\n"))
	})
}

// raw is a log handler that escapes nothing.
type raw struct {
	slog.Handler
	out   *journal
	attrs []slog.Attr
}

func (r raw) WithAttrs(attrs []slog.Attr) slog.Handler {
	r.attrs = append(slices.Clip(r.attrs), attrs...)
	return r
}

func (r raw) Enabled(context.Context, slog.Level) bool { return true }

func (r raw) Handle(_ context.Context, record slog.Record) error {
	line := record.Message
	add := func(a slog.Attr) bool {
		line += " " + a.Key + "=" + a.Value.String()
		return true
	}
	for _, a := range r.attrs {
		add(a)
	}
	record.Attrs(add)
	_, err := r.out.Write([]byte(line + "\n"))
	return err
}

// Text from the database must not control a terminal. Ids contain no control characters, and
// other characters that do not print are escaped even if the log handler escapes nothing.
func TestLogIsSafeToPrint(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		_, err := elector.New(tc.db, tc.election, elector.Options{NodeID: "\x1b[2Jevil"})
		require.ErrorIs(tc, err, fdbelection.ErrInvalidCandidate)
		require.NotContains(tc, err.Error(), "\x1b")

		const evil = "gnp.exe\u202e"
		a := tc.begin(evil, priority(1))
		a.leads()
		var log journal
		b := tc.begin("b", func(_ *process, o *elector.Options) { o.Logger = slog.New(raw{out: &log}) })
		b.enters(elector.StateFollower)
		c := tc.begin(evil+"2", func(_ *process, o *elector.Options) { o.Logger = slog.New(raw{out: &log}) })
		c.enters(elector.StateFollower)
		c.Abandon()
		a.stop()
		b.leads()
		time.Sleep(3 * tc.config.CandidateTimeout)
		require.False(tc, tc.listed(evil+"2"))
		text := strings.Join(log.lines(), "\n")
		require.Contains(tc, text, `\u202e`)
		require.Contains(tc, text, "evicted")
		require.NotContains(tc, text, "\u202e")
	})
}

// records is a log handler that keeps all records with the attributes of the logger.
type records struct {
	mu    *sync.Mutex
	all   *[]map[string]slog.Value
	attrs []slog.Attr
}

func newRecords() records { return records{mu: new(sync.Mutex), all: new([]map[string]slog.Value)} }

func (r records) Enabled(context.Context, slog.Level) bool { return true }

func (r records) WithAttrs(attrs []slog.Attr) slog.Handler {
	r.attrs = append(slices.Clip(r.attrs), attrs...)
	return r
}

func (r records) WithGroup(string) slog.Handler { return r }

func (r records) Handle(_ context.Context, record slog.Record) error {
	fields := map[string]slog.Value{
		slog.MessageKey: slog.StringValue(record.Message), slog.LevelKey: slog.AnyValue(record.Level),
	}
	add := func(a slog.Attr) bool {
		fields[a.Key] = a.Value
		return true
	}
	for _, a := range r.attrs {
		add(a)
	}
	record.Attrs(add)
	r.mu.Lock()
	defer r.mu.Unlock()
	*r.all = append(*r.all, fields)
	return nil
}

// taken returns all records so far.
func (r records) taken() []map[string]slog.Value {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(*r.all)
}

// of returns the records of a message.
func (r records) of(message string) (found []map[string]slog.Value) {
	for _, record := range r.taken() {
		if record[slog.MessageKey].String() == message {
			found = append(found, record)
		}
	}
	return found
}

func (r records) log(_ *process, o *elector.Options) { o.Logger = slog.New(r) }

// Every record names the election and the node. Its durations are text, and each field is on
// one line.
func TestRecordsOfTheLog(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		log := newRecords()
		twoLines := errors.Join(errDisk, errors.New("and more"))
		p := tc.process("a", log.log, callbacks(func(c *elector.Callbacks) {
			c.OnElected = func(context.Context, elector.Transition) { panic(twoLines) }
		}), func(_ *process, o *elector.Options) { o.Config.LeaseDuration += time.Second })
		tc.initialize()
		p.run(tc.Context(), func(ctx context.Context, lead *elector.Leadership) error {
			if lead.Term() > 1 {
				<-ctx.Done()
			}
			return twoLines
		})
		p.leads()
		p.leads()
		tc.before(of("a", fail(kv.Error{Code: kv.CodeIOError, Err: twoLines})))
		p.enters(elector.StateCandidate)
		tc.before(nil)
		p.leads()
		newer := election.Registration{Identity: election.Identity{ID: "a", Incarnation: uuid.New()}}
		tc.transact(func(tr kv.Transaction) error { return tc.election.RegisterCandidate(tr, newer, time.Now()) })
		require.ErrorIs(tc, within(tc, p.result, "the end of Run"), fdbelection.ErrDuplicateID)
		again := tc.begin("a", log.log)
		time.Sleep(lease)
		again.Abandon()

		for _, message := range []string{
			"state changed", "leader changed", "config", "stored config differs from the config of this process",
			"another process is registered under this id, waiting to see whether it is alive",
			"holding off after a failed tenure", "store error", "store available again", "operation",
			"callback failed", "work failed", "stopped with an error",
		} {
			require.NotEmpty(tc, log.of(message), message)
		}
		for _, record := range log.taken() {
			require.Equal(tc, `("test")`, record["election"].String())
			require.Equal(tc, "a", record["node"].String())
			for key, value := range record {
				require.NotEqual(tc, slog.KindDuration, value.Kind(), key)
				require.NotContains(tc, value.String(), "\n", key)
			}
		}
		config := log.of("config")[0]
		require.Equal(tc, lease.String(), config["lease"].String())
		require.Equal(tc, heartbeat.String(), config["heartbeat"].String())
		failed := log.of("store error")[0]
		err, ok := failed["error"].Any().(error)
		require.True(tc, ok)
		require.ErrorIs(tc, err, errDisk, "a handler gets the error itself")
		require.Contains(tc, log.of("callback failed")[0], "stack")
	})
}

// A loss of leadership is a warning, unless the program decided on it.
func TestLossIsAWarning(t *testing.T) {
	losses := maps.Clone(losses)
	losses["stopped"] = func(_ *cluster, p *process, _ *elector.Leadership) func() {
		go func() { _ = p.Stop(context.Background()) }()
		return func() {}
	}
	losses["resigned"] = func(tc *cluster, _ *process, lead *elector.Leadership) func() {
		require.NoError(tc, lead.Resign(tc.Context()))
		return func() {}
	}
	decided := []string{"stopped", "resigned", "demoted"}
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				log := newRecords()
				p := tc.process("a", log.log)
				lead, err := p.Campaign(tc.Context())
				require.NoError(tc, err)
				time.Sleep(heartbeat / 2)
				repair := lose(tc, p, lead)
				<-lead.Context().Done()
				synctest.Wait()
				repair()
				found := 0
				for _, record := range log.of("state changed") {
					from, to := record["from"].String(), record["to"].String()
					leads := func(state string) bool { return state == "leader" || state == "jeopardy" }
					if leads(from) && !leads(to) {
						found++
						want := slog.LevelWarn
						if slices.Contains(decided, name) {
							want = slog.LevelInfo
						}
						require.Equal(tc, want, record[slog.LevelKey].Any())
					}
				}
				require.Equal(tc, 1, found)
			})
		})
	}
}
