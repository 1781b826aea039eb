package elector_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
)

// warnings returns the warnings about a different stored config.
func (j *journal) warnings() (lines []string) {
	for _, line := range j.lines() {
		if strings.Contains(line, "level=WARN") && strings.Contains(line, "stored config differs") {
			lines = append(lines, line)
		}
	}
	return lines
}

// given sets Options.Config.
func given(config fdbelection.Config) setting {
	return func(_ *process, o *elector.Options) { o.Config = config }
}

func mustExist(_ *process, o *elector.Options) { o.MustExist = true }

// If the stored config differs from the config of an elector, a warning names every
// difference with both values, once per revision.
func TestWarningOfAnotherConfig(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		wanted := tc.config
		tc.config.Expiry, tc.config.PreemptionGrace = fdbelection.ExpiryByClock, 0
		tc.config.CandidateTimeout *= 2
		tc.initialize()
		var log journal
		p := tc.begin("a", given(wanted), logTo(&log, slog.LevelInfo))
		p.leads()
		time.Sleep(10 * lease)
		p.stop()
		require.NoError(tc, p.Start(tc.Context()))
		p.leads()
		require.Len(tc, log.warnings(), 1)
		for _, part := range []string{
			"CandidateTimeout is 18s instead of 9s", "PreemptionGrace is 0s instead of 6s",
			"Expiry is clock instead of observation", "revision=1", "node=a",
			"clocks of other hosts", "before its work has stopped", "fdbelect config set",
		} {
			require.Contains(tc, log.warnings()[0], part)
		}
		require.NotContains(tc, log.warnings()[0], "LeaseDuration")

		tc.reconfigure(func(c *fdbelection.Config) { c.PreemptionGrace = time.Second })
		time.Sleep(lease)
		require.Len(tc, log.warnings(), 2)
		require.Contains(tc, log.warnings()[1], "revision=2")
		require.Contains(tc, log.warnings()[1], "PreemptionGrace is 1s instead of 6s")
		require.NotContains(tc, log.warnings()[1], "before its work has stopped")

		tc.reconfigure(func(c *fdbelection.Config) {
			revision, nonce := c.Revision, c.Nonce
			*c = wanted
			c.Revision, c.Nonce = revision, nonce
		})
		time.Sleep(lease)
		require.Equal(tc, wanted.LeaseDuration, p.ClusterState().Config.LeaseDuration)
		require.Len(tc, log.warnings(), 2, "the configs do not differ")
	})
}

// An elector without a config of its own compares the stored config with the default, if it
// would have created the election.
func TestWarningOfAnotherConfigThanTheDefault(t *testing.T) {
	for name, test := range map[string]struct {
		stored fdbelection.Config
		with   []setting
		use    func(tc *cluster, p *process)
		warns  int
	}{
		"the default":    {fdbelection.DefaultConfig(), nil, start, 0},
		"another config": {fdbelection.ConfigWithLease(lease), nil, start, 1},
		"it must exist":  {fdbelection.ConfigWithLease(lease), []setting{mustExist}, start, 0},
		"it must exist, with a config": {
			fdbelection.ConfigWithLease(lease), []setting{mustExist, given(fdbelection.DefaultConfig())}, start, 1,
		},
		"it subscribes": {fdbelection.ConfigWithLease(lease), nil, subscribe, 0},
		"it subscribes first": {fdbelection.ConfigWithLease(lease), nil, func(tc *cluster, p *process) {
			subscribe(tc, p)
			start(tc, p)
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				tc.config = test.stored
				tc.initialize()
				var log journal
				p := tc.process("a", append([]setting{given(fdbelection.Config{}), logTo(&log, slog.LevelWarn)}, test.with...)...)
				test.use(tc, p)
				require.Len(tc, log.warnings(), test.warns, strings.Join(log.lines(), "\n"))
			})
		})
	}
}

func start(tc *cluster, p *process) {
	require.NoError(tc, p.Start(tc.Context()))
	p.leads()
}

func subscribe(tc *cluster, p *process) {
	ctx, cancel := context.WithCancel(tc.Context())
	tc.Cleanup(cancel)
	within(tc, p.Subscribe(ctx), "the leader")
	synctest.Wait()
}

// The elector that creates the election logs no warning.
func TestNoWarningOfItsOwnConfig(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var log journal
		p := tc.begin("a", logTo(&log, slog.LevelWarn))
		p.leads()
		require.Empty(tc, log.warnings())
	})
}
