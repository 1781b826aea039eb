package group

import (
	"strconv"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/subspace"
)

// Config is the configuration of a group. It is stored in the database, so all members use
// the same one.
type Config struct {
	// LeaseDuration is how long a session lives without a heartbeat.
	LeaseDuration time.Duration
	// HeartbeatInterval is how often a member sends its heartbeat. It must be shorter than
	// LeaseDuration minus the margin.
	HeartbeatInterval time.Duration
	// Margin is how long before the end of its lease a member stops leading. Zero means a
	// tenth of the lease.
	Margin time.Duration
	// Enabled allows claims. If it is false, leaders drain and release their shards, and
	// heartbeats go on.
	Enabled bool
	// SettleDelay is how long a member waits after it has joined before it receives shards.
	// A shard that was moved for balance is not moved for balance again for as long, and for
	// twice as long after each further move in a row.
	SettleDelay time.Duration
	// MaxMoves is the most shards that a member moves for balance at a time, 1 to MaxBatch.
	MaxMoves int
	// Retention is how long the log of changes is kept, by the versions of the database.
	Retention time.Duration

	// Revision counts the writes of this config, starting with 1. WriteConfig replaces only
	// this revision if it is not zero, and any revision if it is.
	Revision uint64
	// Nonce identifies one intended write, as in fdbelection.Config.
	Nonce [16]byte
}

// Defaults of a config.
const (
	defaultMaxMoves  = 32
	defaultRetention = 24 * time.Hour
)

// DefaultConfig returns the default settings: lease 10 s, heartbeat 3 s, settle delay 3 s, 32
// moves at a time, retention one day, enabled.
func DefaultConfig() Config {
	c := ConfigWithLease(fdbelection.DefaultLeaseDuration)
	c.HeartbeatInterval = fdbelection.DefaultHeartbeatInterval
	c.SettleDelay = c.HeartbeatInterval
	return c
}

// ConfigWithLease returns DefaultConfig scaled to a lease. The heartbeat and the settle delay
// are a third of the lease.
func ConfigWithLease(lease time.Duration) Config {
	return Config{
		LeaseDuration: lease, HeartbeatInterval: lease / 3, SettleDelay: lease / 3,
		Enabled: true, MaxMoves: defaultMaxMoves, Retention: defaultRetention,
	}
}

// Lease returns the settings of the lease as those of an election, which define the margin
// and the deadlines of a lease.
func (c Config) Lease() fdbelection.Config {
	lease := fdbelection.ConfigWithLease(c.LeaseDuration)
	lease.HeartbeatInterval, lease.Margin, lease.CandidateTimeout = c.HeartbeatInterval, c.Margin, fdbelection.MaxDuration
	return lease
}

// SameSettings reports whether two configs are equal except for their revisions and nonces.
func (c Config) SameSettings(other Config) bool {
	c.Revision, c.Nonce = other.Revision, other.Nonce
	return c == other
}

// Validate returns nil, or an *fdbelection.InvalidConfigError that lists every fault.
func (c Config) Validate() error {
	var faults []fdbelection.ConfigFault
	lease := c.Lease()
	if lease.HeartbeatInterval >= lease.CandidateTimeout { // reported as a fault of the heartbeat
		lease.CandidateTimeout = 0
	}
	if err, ok := lease.Validate().(*fdbelection.InvalidConfigError); ok { //nolint:errorlint // it returns no other
		for _, fault := range err.Faults {
			switch fault.Field {
			case "LeaseDuration", "HeartbeatInterval", "Margin":
				faults = append(faults, fault)
			}
		}
	}
	for _, d := range []struct {
		field string
		value time.Duration
		least time.Duration
	}{{"SettleDelay", c.SettleDelay, 0}, {"Retention", c.Retention, time.Second}} {
		if d.value < d.least || d.value > fdbelection.MaxDuration {
			faults = append(faults, fdbelection.ConfigFault{
				Field: d.field, Problem: "is " + d.value.String() + "; use " + d.least.String() + " to " + fdbelection.MaxDuration.String(),
			})
		}
	}
	if c.MaxMoves < 1 || c.MaxMoves > MaxBatch {
		faults = append(faults, fdbelection.ConfigFault{
			Field: "MaxMoves", Problem: "is " + strconv.Itoa(c.MaxMoves) + "; use 1 to " + strconv.Itoa(MaxBatch),
		})
	}
	if faults == nil {
		return nil
	}
	return &fdbelection.InvalidConfigError{Faults: faults}
}

func (c Config) encode() []byte {
	b := record.New(80)
	b = subspace.AppendInt(b, record.FormatVersion) // the highest format that records of this group may have
	b = subspace.AppendUint(b, c.Revision)
	b = subspace.AppendUUID(b, c.Nonce)
	b = subspace.AppendInt(b, int64(c.LeaseDuration))
	b = subspace.AppendInt(b, int64(c.HeartbeatInterval))
	b = subspace.AppendInt(b, int64(c.Margin))
	b = subspace.AppendBool(b, c.Enabled)
	b = subspace.AppendInt(b, int64(c.SettleDelay))
	b = subspace.AppendInt(b, int64(c.MaxMoves))
	return subspace.AppendInt(b, int64(c.Retention))
}

// decodeConfig reads a config record. Without a value, the error is ErrNotInitialized.
func decodeConfig(key, value []byte) (Config, error) {
	if value == nil {
		return Config{}, fdbelection.ErrNotInitialized
	}
	r := record.Open("group", key, value)
	if allowed := r.Int64(); allowed > record.FormatVersion {
		r.TooNew("allows records in a newer format: upgrade this program")
	}
	c := Config{
		Revision:          r.Count(),
		Nonce:             r.UUID(),
		LeaseDuration:     r.Duration(),
		HeartbeatInterval: r.Duration(),
		Margin:            r.Duration(),
		Enabled:           r.Bool(),
		SettleDelay:       r.Duration(),
		MaxMoves:          int(r.Int32("number of moves")),
		Retention:         r.Duration(),
	}
	if c.Revision == 0 {
		r.Fail("its revision is zero")
	}
	if r.Sound() {
		if err := c.Validate(); err != nil {
			r.Fail(err.Error())
		}
	}
	if err := r.Close(); err != nil {
		return Config{}, err // without the part that could be read
	}
	return c, nil
}
