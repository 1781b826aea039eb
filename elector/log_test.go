package elector_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
)

// journal is what was logged.
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

// One line for each change of state, and none for a heartbeat; at the debug level
// there is one for each operation.
func TestLog(t *testing.T) {
	inWorld(t, func(w *world) {
		var quiet, verbose journal
		a := w.begin("a", logTo(&quiet, slog.LevelInfo))
		a.leads()
		b := w.begin("b", logTo(&verbose, slog.LevelDebug))
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat)
		before, detailed := len(quiet.lines()), len(verbose.lines())
		time.Sleep(100 * heartbeat)
		require.Len(w, quiet.lines(), before)
		require.Greater(w, len(verbose.lines()), detailed+100)
		a.stop()
		b.leads()
		changes := 0
		for _, line := range quiet.lines() {
			if strings.Contains(line, `msg="state changed"`) {
				changes++
				require.Contains(w, line, "node=a")
				require.Contains(w, line, "reason=")
			}
		}
		require.Equal(w, len(a.history()), changes)
		require.LessOrEqual(w, len(quiet.lines()), changes+3, "the config, the seat at first, and a claim that was seen before its answer")
	})
}

// An outage is one line when it begins, and one when it ends.
func TestLogOfAnOutage(t *testing.T) {
	inWorld(t, func(w *world) {
		var log journal
		b := w.begin("b", logTo(&log, slog.LevelWarn))
		b.leads()
		w.before(of("b", fail(errDisk)))
		time.Sleep(20 * time.Minute)
		w.before(nil)
		time.Sleep(time.Minute)
		require.LessOrEqual(w, len(log.lines()), 8, strings.Join(log.lines(), "\n"))
	})
}

// raw is a handler that escapes nothing.
type raw struct {
	slog.Handler
	out *journal
}

func (r raw) Enabled(context.Context, slog.Level) bool { return true }

func (r raw) Handle(_ context.Context, record slog.Record) error {
	line := record.Message
	record.Attrs(func(a slog.Attr) bool {
		line += " " + a.Key + "=" + a.Value.String()
		return true
	})
	_, err := r.out.Write([]byte(line + "\n"))
	return err
}

// What comes from a database must not steer a terminal: ids have no control
// characters, and what else does not print is escaped, also by a handler that
// escapes nothing.
func TestLogIsSafeToPrint(t *testing.T) {
	inWorld(t, func(w *world) {
		_, err := elector.New(w.db, w.election, elector.Options{NodeID: "\x1b[2Jevil"})
		require.ErrorIs(w, err, fdbelection.ErrInvalidCandidate)
		require.NotContains(w, err.Error(), "\x1b")

		const evil = "gnp.exe\u202e"
		a := w.begin(evil, priority(1))
		a.leads()
		var log journal
		b := w.begin("b", func(_ *process, o *elector.Options) { o.Logger = slog.New(raw{out: &log}) })
		b.enters(elector.StateFollower)
		c := w.begin(evil+"2", func(_ *process, o *elector.Options) { o.Logger = slog.New(raw{out: &log}) })
		c.enters(elector.StateFollower)
		c.Abandon()
		a.stop()
		b.leads()
		time.Sleep(3 * w.config.CandidateTimeout)
		require.False(w, w.listed(evil+"2"))
		text := strings.Join(log.lines(), "\n")
		require.Contains(w, text, `\u202e`)
		require.Contains(w, text, "evicted")
		require.NotContains(w, text, "\u202e")
	})
}
