package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
)

// A record is one printable line in both formats, with durations as text.
func TestLogFormats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const id = "a\x1b[2J\u202e\u009b\U000e0001\nb\xff"
		log := func(format, level string) string {
			var out bytes.Buffer
			l := slog.New((&logFlags{format: format, level: level}).handler(&out, clitest.Virtual{})).With("id", id)
			l.Debug("debug")
			l.Info("two\nlines", "delay", 1500*time.Millisecond, "error", errors.Join(errors.New("one"), errors.New("two")))
			return out.String()
		}
		require.Equal(t, `time=2000-01-01T00:00:00.000Z level=INFO msg="two; lines" `+
			`id="a\x1b[2J\u202e\u009b\U000e0001; b\xff" delay=1.5s error="one; two"`+"\n", log(logText, "info"))
		text := log(logJSON, "info")
		for _, r := range text[:len(text)-1] {
			require.True(t, unicode.IsPrint(r), "%q", text)
		}
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &record))
		require.Equal(t, map[string]any{
			"time": "2000-01-01T00:00:00Z", "level": "INFO", "msg": "two; lines",
			"id": "a\x1b[2J\u202e\u009b\U000e0001; b\ufffd", "delay": "1.5s", "error": "one; two",
		}, record)
		require.Empty(t, log(logText, "warn"))
		require.Contains(t, log(logText, "debug"), "level=DEBUG")
	})
}
