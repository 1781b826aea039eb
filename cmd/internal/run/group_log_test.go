package run

import (
	"bytes"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
)

// lockedLog is a log that a timer writes while the test reads it.
type lockedLog struct {
	mu  sync.Mutex
	log bytes.Buffer
}

func (l *lockedLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

// copy returns what was written.
func (l *lockedLog) copy() *bytes.Buffer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.NewBuffer(bytes.Clone(l.log.Bytes()))
}

// take empties the log.
func (l *lockedLog) take() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log.Reset()
}

// The log has the first lines of each message in a second, and then how many followed, at the
// highest of their levels.
func TestBursts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedLog
		b := newBursts(textLog(&log).With("group", "g").Handler(), clitest.Virtual{})
		logger := b.logger()
		for i := range burstLines + 5 {
			level := slog.LevelInfo
			if i == burstLines+2 {
				level = slog.LevelWarn
			}
			logger.With("shard", i).Log(t.Context(), level, "many")
			logger.Debug("hidden by its level")
		}
		logger.Info("another")
		lines := linesOf(log.copy())
		require.Len(t, lines, burstLines+1)
		require.Equal(t, fmt.Sprintf("level=INFO msg=many group=g shard=%d", burstLines-1), lines[burstLines-1])
		require.Equal(t, "level=INFO msg=another group=g", lines[burstLines])

		log.take()
		<-time.After(burstWindow)
		synctest.Wait()
		require.Equal(t, []string{"level=WARN msg=many group=g more=5"}, linesOf(log.copy()))
		log.take()
		logger.Info("many")
		require.Equal(t, []string{"level=INFO msg=many group=g"}, linesOf(log.copy()), "a new window")
		for range burstLines {
			logger.Info("many")
		}
		log.take()
		b.end()
		require.Equal(t, []string{"level=INFO msg=many group=g more=1"}, linesOf(log.copy()))
		<-time.After(burstWindow)
		synctest.Wait()
		require.Equal(t, []string{"level=INFO msg=many group=g more=1"}, linesOf(log.copy()), "once")
	})
}

// What the member logs has no fields of its own logger. A group that does not exist is a message of
// its own. Failed work and readiness are left out: the end of the command and the results of the
// probe are logged.
func TestLogOfAMember(t *testing.T) {
	var log bytes.Buffer
	logger := ofMember(textLog(&log)).With("member", "a")
	logger.Info("state changed", "to", "member")
	logger.Warn("work failed", "shard", "x")
	logger.Warn("not ready", "reason", "cold")
	logger.Info("ready")
	logger.Warn("store error", "error", fmt.Errorf("scan: %w", fdbelection.ErrNotInitialized))
	logger.Warn("store error", "error", bytes.ErrTooLarge)
	require.Equal(t, []string{
		`level=INFO msg="state changed" to=member`,
		`level=WARN msg="the group does not exist yet, waiting for it" hint="check --group and --root, or create it with ` + "`fdbelect group create`" + `"`,
		`level=WARN msg="store error" error="bytes.Buffer: too large"`,
	}, linesOf(&log))
}
