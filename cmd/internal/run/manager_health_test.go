//go:build unix

package run

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/notify"
	"github.com/fdbelection/fdbelection/elector"
)

// sick is a participant with a fault.
type sick struct{ fault error }

func (s sick) Health(context.Context) error    { return s.fault }
func (s sick) Readiness(context.Context) error { return s.fault }

// A participant whose loop hangs, or that has stopped by itself, sends no ping. A leader that cannot
// renew does: a restart would not bring the store back.
func TestPingsNeedHealth(t *testing.T) {
	for name, test := range map[string]struct {
		kind  error
		pings bool
	}{"healthy": {nil, true}, "unrenewed": {elector.ErrUnrenewed, true}, "stuck": {elector.ErrStuck, false}, "stopped": {elector.ErrStopped, false}} {
		t.Run(name, func(t *testing.T) {
			socket := filepath.Join(t.TempDir(), "notify")
			conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
			require.NoError(t, err)
			defer conn.Close()
			t.Setenv("NOTIFY_SOCKET", socket)
			t.Setenv("WATCHDOG_USEC", "1000000")
			var one sick
			if test.kind != nil {
				one.fault = &elector.HealthError{Kind: test.kind, Since: time.Unix(0, 0), Problem: "of this test"}
			}
			var f common
			var log strings.Builder
			stop := f.tell(t.Context(), notify.FromEnvironment(clitest.Virtual{}), textLog(&log), one, func() (string, bool) { return "follower", true })
			defer stop()
			message := make([]byte, 1000)
			n, err := conn.Read(message) // Follow has sent it
			require.NoError(t, err)
			if test.pings {
				require.Equal(t, "READY=1\nSTATUS=follower\nWATCHDOG=1", string(message[:n]))
				return
			}
			require.Equal(t, "STATUS=stuck: "+one.fault.Error(), string(message[:n]))
			require.Contains(t, log.String(), "the service manager gets no ping")
		})
	}
}
