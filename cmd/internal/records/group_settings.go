package records

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
)

// DefaultGroupConfig returns the default config of a group for a lease.
func DefaultGroupConfig(lease time.Duration) group.Config {
	if lease == fdbelection.DefaultLeaseDuration {
		return group.DefaultConfig()
	}
	return group.ConfigWithLease(lease)
}

// GroupSettings lists the settings of a group, in the order of the output.
var GroupSettings = []Setting[group.Config]{
	durationSetting("lease", "LeaseDuration", func(c *group.Config) *time.Duration { return &c.LeaseDuration }),
	durationSetting("heartbeat", "HeartbeatInterval", func(c *group.Config) *time.Duration { return &c.HeartbeatInterval }),
	marginSetting(func(c *group.Config) *time.Duration { return &c.Margin }),
	durationSetting("settle_delay", "SettleDelay", func(c *group.Config) *time.Duration { return &c.SettleDelay }),
	countSetting("max_moves", "MaxMoves", 1, group.MaxBatch, func(c *group.Config) *int { return &c.MaxMoves }),
	durationSetting("retention", "Retention", func(c *group.Config) *time.Duration { return &c.Retention }),
	boolSetting("enabled", "Enabled", func(c *group.Config) *bool { return &c.Enabled }),
}
