package belief

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
)

var epoch = time.Unix(1_000_000, 0)

// The deadlines are those of an attempt that begins at zero.
func TestDeadlines(t *testing.T) {
	for _, c := range []struct {
		name                     string
		lease, margin, heartbeat time.Duration // of the config
		written                  time.Duration
		jeopardy, stop, end      time.Duration
	}{
		{"default", 10 * time.Second, 0, 3 * time.Second, 10 * time.Second, 5 * time.Second, 7 * time.Second, 9 * time.Second},
		{"with a margin in the config", 10 * time.Second, 2 * time.Second, 2 * time.Second, 10 * time.Second, 5 * time.Second, 6 * time.Second, 8 * time.Second},
		{"a shorter lease than that of the config has a part of the margin", 10 * time.Second, 2 * time.Second, time.Second, 5 * time.Second, 2500 * time.Millisecond, 3 * time.Second, 4 * time.Second},
		{"half of the rest if the heartbeat is long", 10 * time.Second, 0, 7 * time.Second, 10 * time.Second, 7250 * time.Millisecond, 8 * time.Second, 9 * time.Second},
		{"jeopardy not after the stop deadline", 10 * time.Second, 6 * time.Second, 3 * time.Second, 10 * time.Second, 3500 * time.Millisecond, 3500 * time.Millisecond, 4 * time.Second},
		{"no time to stop if the lease is shorter than a heartbeat", 10 * time.Second, 0, 3 * time.Second, 3 * time.Second, 2700 * time.Millisecond, 2700 * time.Millisecond, 2700 * time.Millisecond},
		{"no time to stop if a renewal would come too late", 10 * time.Second, 0, 9 * time.Second, 10 * time.Second, 9 * time.Second, 9 * time.Second, 9 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := fdbelection.DefaultConfig()
			config.LeaseDuration, config.Margin, config.HeartbeatInterval = c.lease, c.margin, c.heartbeat
			d := DeadlinesOf(epoch, c.written, config)
			require.Equal(t, c.jeopardy, d.Jeopardy.Sub(epoch), "jeopardy")
			require.Equal(t, c.stop, d.Stop.Sub(epoch), "stop")
			require.Equal(t, c.end, d.End.Sub(epoch), "end")
		})
	}
}
