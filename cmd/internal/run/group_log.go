package run

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
)

// A process may lead thousands of shards, and many of them change at once. So the log has the
// first lines of each message in a second, and then how many followed.
const (
	burstLines  = 10
	burstWindow = time.Second
)

// bursts counts the records of each message.
type bursts struct {
	to     slog.Handler
	clock  elector.Clock
	mu     sync.Mutex
	counts map[string]*burst // by message
}

// burst is the records of one message in a window.
type burst struct {
	lines, hidden int
	level         slog.Level // the highest one of those that are hidden
	timer         elector.Timer
}

func newBursts(to slog.Handler, clock elector.Clock) *bursts {
	return &bursts{to: to, clock: clock, counts: make(map[string]*burst)}
}

// logger returns a logger that shortens bursts.
func (b *bursts) logger() *slog.Logger { return slog.New(burstHandler{b.to, b}) }

// hide reports whether a record is not to be logged, and counts it.
func (b *bursts) hide(r *slog.Record) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	one := b.counts[r.Message]
	if one == nil {
		one = &burst{level: slog.LevelDebug}
		one.timer = b.clock.AfterFunc(burstWindow, func() { b.flush(r.Message, one) })
		b.counts[r.Message] = one
	}
	if one.lines++; one.lines <= burstLines {
		return false
	}
	one.hidden++
	one.level = max(one.level, r.Level)
	return true
}

// flush ends a window.
func (b *bursts) flush(message string, one *burst) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.counts[message] != one {
		return
	}
	delete(b.counts, message)
	one.timer.Stop()
	if one.hidden > 0 {
		slog.New(b.to).Log(context.Background(), one.level, message, "more", one.hidden)
	}
}

// end ends all windows.
func (b *bursts) end() {
	b.mu.Lock()
	var messages []string
	var all []*burst
	for message, one := range b.counts {
		messages, all = append(messages, message), append(all, one)
	}
	b.mu.Unlock()
	for i, one := range all {
		b.flush(messages[i], one)
	}
}

// burstHandler passes on records that are not hidden.
type burstHandler struct {
	slog.Handler
	bursts *bursts
}

func (h burstHandler) Handle(ctx context.Context, r slog.Record) error {
	if h.bursts.hide(&r) {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h burstHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return burstHandler{h.Handler.WithAttrs(attrs), h.bursts}
}

func (h burstHandler) WithGroup(name string) slog.Handler {
	return burstHandler{h.Handler.WithGroup(name), h.bursts}
}

// memberHandler passes on the records of the member, without the attributes of its logger: group
// run has its own. It leaves out what group run logs itself.
type memberHandler struct{ slog.Handler }

func ofMember(log *slog.Logger) *slog.Logger { return slog.New(memberHandler{log.Handler()}) }

func (h memberHandler) Handle(ctx context.Context, r slog.Record) error {
	switch r.Message {
	case "work failed", "ready", "not ready": // the end of the command and the results of the probe are logged
		return nil
	case "store error":
		missing := false
		r.Attrs(func(a slog.Attr) bool {
			err, ok := a.Value.Any().(error)
			missing = ok && errors.Is(err, fdbelection.ErrNotInitialized)
			return !missing
		})
		if missing {
			r = slog.NewRecord(r.Time, slog.LevelWarn, "the group does not exist yet, waiting for it", r.PC)
			r.AddAttrs(slog.String("hint", "check --group and --root, or create it with `fdbelect group create`"))
		}
	}
	return h.Handler.Handle(ctx, r)
}

func (h memberHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h memberHandler) WithGroup(string) slog.Handler      { return h }
