package run

import (
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/supervise"
)

// Without --head-start the elector has its default, and zero means none.
func TestHeadStart(t *testing.T) {
	for _, c := range []struct {
		given      bool
		flag, want time.Duration
	}{{false, 0, 0}, {true, 0, -1}, {true, 2 * time.Second, 2 * time.Second}} {
		f := runFlags{
			common: common{id: "a", preStop: time.Second, timeout: time.Second}, lease: fdbelection.DefaultLeaseDuration,
			restart: supervise.RestartNever, headStart: c.flag, headStartGiven: c.given, giveUp: defaultGiveUp,
		}
		f.Flags = pflag.NewFlagSet("run", pflag.ContinueOnError)
		opts, err := f.options()
		require.NoError(t, err)
		require.Equal(t, c.want, opts.HeadStart)
	}
}
