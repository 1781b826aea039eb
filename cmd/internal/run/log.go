package run

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	"github.com/spf13/pflag"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/journal"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/elector"
)

// logFlags are the flags of the log of run.
type logFlags struct {
	format string
	level  string
}

const (
	logText = "text"
	logJSON = "json"
)

// logLevels are the values of --log-level.
var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

func (l *logFlags) addFlags(flags *pflag.FlagSet) {
	l.format, l.level = logText, "info"
	flags.Var(choice{&l.format, []string{logText, logJSON}}, "log-format", "how to log to stderr: text or json")
	flags.Var(choice{&l.level, []string{"debug", "info", "warn", "error"}}, "log-level",
		"the lowest level to log: debug, info, warn or error; debug logs every heartbeat")
}

// handler returns a handler that writes each record to w as one line, with the wall time
// of the clock.
func (l *logFlags) handler(w io.Writer, c elector.Clock) slog.Handler {
	options := &slog.HandlerOptions{Level: logLevels[l.level], ReplaceAttr: inOneLine}
	if l.format == logJSON {
		return stampHandler{slog.NewJSONHandler(printableJSON{w}, options), c, new(sync.Mutex)}
	}
	return stampHandler{slog.NewTextHandler(w, options), c, new(sync.Mutex)} // it quotes text that is not printable
}

// inOneLine turns durations into text, and joins the lines of a text with "; ".
func inOneLine(_ []string, a slog.Attr) slog.Attr {
	var text string
	switch value := a.Value.Any().(type) {
	case time.Duration:
		text = value.String()
	case error:
		text = value.Error()
	case string:
		text = value
	default:
		return a
	}
	return slog.String(a.Key, strings.ReplaceAll(text, "\n", "; "))
}

// printableJSON escapes the control and format characters that JSON allows in a string,
// so that a log line cannot steer a terminal.
type printableJSON struct{ io.Writer }

func (p printableJSON) Write(line []byte) (int, error) {
	_, err := io.WriteString(p.Writer, terminal.Escape(string(line), func(r rune) string {
		var units strings.Builder
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&units, `\u%04x`, unit)
		}
		return units.String()
	}))
	return len(line), err
}

// stampHandler sets the time of each record when it is written, so that the times of the
// lines never go back.
type stampHandler struct {
	slog.Handler
	clock elector.Clock
	mu    *sync.Mutex
}

func (h stampHandler) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.Time = h.clock.Wall().UTC()
	return h.Handler.Handle(ctx, r)
}

func (h stampHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

func (h stampHandler) WithGroup(name string) slog.Handler {
	h.Handler = h.Handler.WithGroup(name)
	return h
}

// runLog is the log of run. It goes to stderr, because stdout belongs to the command.
// Every line names the election or the group, and the process if it takes part.
type runLog struct {
	*slog.Logger
	journal *journal.Journal
	clock   elector.Clock
	mark    func(error) error // lets exit.Code recognise an error of the store
}

func newRunLog(p *session.Program, flags logFlags, fields ...any) *runLog {
	j := journal.New(p.Stderr)
	return &runLog{slog.New(flags.handler(j, p.Clock)).With(fields...), j, p.Clock, p.Mark}
}

// ofElector returns the logger for the elector's own records. At level debug it logs all of
// them. Otherwise it logs those about delays, since the rest would repeat what run logs.
func (l *runLog) ofElector() *slog.Logger {
	if !l.Enabled(context.Background(), slog.LevelDebug) {
		return slog.New(delayHandler{l.Handler()})
	}
	return slog.New(l.Handler().WithGroup("elector"))
}

// delayHandler passes on the records about delays, without the attributes of the elector's
// logger: run has its own.
type delayHandler struct{ slog.Handler }

func (h delayHandler) Handle(ctx context.Context, r slog.Record) error {
	switch r.Message {
	case "claim delayed", "holding off after a failed tenure":
		return h.Handler.Handle(ctx, r)
	}
	return nil
}

func (h delayHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h delayHandler) WithGroup(string) slog.Handler      { return h }

// end logs the error with which run ends, if there is one, under the message failed, and waits until all lines are
// written. The error that it returns is a LoggedError.
func (l *runLog) end(failed string, err error) error {
	if err != nil {
		err = l.mark(err)
		l.Error(failed, "error", err, "exit_code", exit.Code(err))
		err = &LoggedError{err}
	}
	l.journal.Close(l.clock)
	return err
}

// LoggedError is an error that is in the log already, so the command need not print it.
type LoggedError struct{ Err error }

func (e *LoggedError) Error() string { return e.Err.Error() }
func (e *LoggedError) Unwrap() error { return e.Err }
