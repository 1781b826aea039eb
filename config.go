package fdbelection

import (
	"math"
	"math/bits"
	"strconv"
	"time"
)

// The main settings of DefaultConfig and RecipeConfig.
const (
	DefaultLeaseDuration     = 10 * time.Second
	DefaultHeartbeatInterval = 3 * time.Second
	DefaultCandidateTimeout  = 15 * time.Second
	DefaultHistoryLimit      = 128
)

// Bounds of a config. They keep every sum of a time and a duration far from
// overflow, and the history small enough for one page and one ClearRange.
const (
	// MinLeaseDuration is the shortest lease that a config may ask for.
	MinLeaseDuration = time.Millisecond
	// MaxDuration bounds every duration of a config.
	MaxDuration = 365 * 24 * time.Hour
	// MaxHistoryLimit bounds Config.HistoryLimit.
	MaxHistoryLimit = 10_000
)

// ExpiryMode says how candidates decide that a lease has expired.
type ExpiryMode int

const (
	// ExpiryByClock compares the caller's wall clock with the expiry time that the
	// leader stored. It is correct only while the clocks of all hosts agree.
	ExpiryByClock ExpiryMode = iota
	// ExpiryByObservation lets a candidate claim only after it has seen the same
	// ballot unchanged for a whole lease on its own clock. Clocks of different
	// processes are never compared.
	ExpiryByObservation
)

// String returns "clock" or "observation".
func (m ExpiryMode) String() string {
	switch m {
	case ExpiryByClock:
		return "clock"
	case ExpiryByObservation:
		return "observation"
	default:
		return "ExpiryMode(" + strconv.Itoa(int(m)) + ")"
	}
}

// ParseExpiryMode is the inverse of ExpiryMode.String.
func ParseExpiryMode(s string) (ExpiryMode, error) {
	switch s {
	case "clock":
		return ExpiryByClock, nil
	case "observation":
		return ExpiryByObservation, nil
	default:
		return 0, &InvalidConfigError{Faults: []ConfigFault{{
			Field: "Expiry", Problem: "is " + strconv.Quote(s) + `; use "clock" or "observation"`,
		}}}
	}
}

// Config is the configuration of one election. It is stored in the database, so
// all processes use the same one. A change applies from the next claim or renewal.
type Config struct {
	// LeaseDuration is how long a leader keeps its leadership without renewing it.
	LeaseDuration time.Duration
	// HeartbeatInterval is how often a process runs an election cycle. It must
	// be shorter than LeaseDuration minus the margin.
	HeartbeatInterval time.Duration
	// CandidateTimeout is how long a candidate may go without a heartbeat before
	// others may evict it. It must be longer than HeartbeatInterval.
	CandidateTimeout time.Duration
	// ElectionEnabled allows claims and renewals. If it is false, the leader's
	// lease runs out and heartbeats continue.
	ElectionEnabled bool
	// AllowPreemption lets a strictly higher priority replace a live leader.
	AllowPreemption bool
	// PreemptionGrace is how long a leader may drain after it has seen a challenge.
	// If it is zero, the challenger takes over immediately and the old leader learns
	// of it afterwards. A leader that only calls RunElectionCycle also has this long
	// to carry out an operator's request.
	PreemptionGrace time.Duration
	// PreemptDelay is how long a candidate must have been registered before it
	// challenges or preempts a live leader, so that a process that keeps crashing
	// cannot take over each time it starts. It does not delay the claim of a vacant
	// leadership or an expired lease.
	PreemptDelay time.Duration
	// MinimumTenure is how long a new leader is protected from preemption. It
	// prevents flapping.
	MinimumTenure time.Duration
	// Margin is how long before the end of its lease a leader stops leading.
	// Zero means a tenth of the lease, see EffectiveMargin.
	Margin time.Duration
	// HistoryLimit is how many past terms are kept. If it is zero, none are. A
	// transfer that is retried after other terms have followed then cannot tell that
	// it has already happened.
	HistoryLimit int
	// Expiry says how candidates decide that a lease has expired.
	Expiry ExpiryMode

	// Revision counts the writes of this config, starting with 1. The election sets
	// it. If it is not zero in a call of WriteConfig, the write replaces only this
	// revision. Zero replaces any revision.
	Revision uint64
	// Nonce identifies one intended write. A write that is retried after an unknown
	// commit result recognizes by it that it has already happened. Choose a new one
	// for each write, outside the transaction's closure. If it is zero, the settings
	// are compared instead.
	Nonce [16]byte
}

// DefaultConfig returns the default settings: lease 10 s, heartbeat 3 s,
// candidate timeout 15 s, enabled, expiry by observation, preemption with a grace
// of one lease, and a minimum tenure and a preempt delay of one lease each.
func DefaultConfig() Config {
	c := ConfigWithLease(DefaultLeaseDuration)
	c.HeartbeatInterval = DefaultHeartbeatInterval
	return c
}

// ConfigWithLease returns DefaultConfig scaled to a lease. The heartbeat is a
// third of the lease, the candidate timeout one and a half leases, and the grace,
// the minimum tenure and the preempt delay one lease each.
func ConfigWithLease(lease time.Duration) Config {
	c := RecipeConfig()
	c.LeaseDuration = lease
	c.HeartbeatInterval = lease / 3
	if lease > math.MaxInt64/3 { // out of bounds, which Validate reports
		c.CandidateTimeout = lease
	} else {
		c.CandidateTimeout = lease * 3 / 2
	}
	c.Expiry = ExpiryByObservation
	c.PreemptionGrace, c.MinimumTenure, c.PreemptDelay = lease, lease, lease
	return c
}

// RecipeConfig returns the settings of the leader election recipe of the Rust crate
// foundationdb-rs, from which this project started. They are those of DefaultConfig, but with expiry by clock
// and immediate preemption. They rely on synchronized clocks, and a preempted
// leader learns of it only afterwards, so only fenced writes are safe.
func RecipeConfig() Config {
	return Config{
		LeaseDuration:     DefaultLeaseDuration,
		HeartbeatInterval: DefaultHeartbeatInterval,
		CandidateTimeout:  DefaultCandidateTimeout,
		ElectionEnabled:   true,
		AllowPreemption:   true,
		HistoryLimit:      DefaultHistoryLimit,
		Expiry:            ExpiryByClock,
	}
}

// EffectiveMargin returns Margin, or a tenth of the lease if Margin is zero.
func (c Config) EffectiveMargin() time.Duration {
	return c.MarginFor(c.LeaseDuration)
}

// MarginFor returns the margin for a lease of another length, in the same
// proportion to it.
func (c Config) MarginFor(lease time.Duration) time.Duration {
	if c.Margin == 0 || c.LeaseDuration <= 0 {
		return lease / 10
	}
	if lease == c.LeaseDuration {
		return c.Margin
	}
	whole, rest := lease/c.LeaseDuration, lease%c.LeaseDuration
	return c.Margin*whole + mulDiv(c.Margin, rest, c.LeaseDuration)
}

// mulDiv returns a*b/c, rounded down, for non-negative durations with b < c.
func mulDiv(a, b, c time.Duration) time.Duration {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	quotient, _ := bits.Div64(hi, lo, uint64(c))
	return time.Duration(quotient)
}

// AcceptanceLease returns the short lease of a leadership that was handed over:
// one heartbeat and the margin. It applies until the new leader's first renewal.
func (c Config) AcceptanceLease() time.Duration {
	return min(c.HeartbeatInterval+c.EffectiveMargin(), c.LeaseDuration)
}

// SameSettings reports whether two configs are equal except for their revisions
// and nonces.
func (c Config) SameSettings(other Config) bool {
	c.Revision, c.Nonce = 0, [16]byte{}
	other.Revision, other.Nonce = 0, [16]byte{}
	return c == other
}

// Validate returns nil, or an *InvalidConfigError that lists every fault by
// field. The error matches ErrInvalidConfig.
func (c Config) Validate() error {
	var faults []ConfigFault
	fault := func(field, problem string) {
		faults = append(faults, ConfigFault{Field: field, Problem: problem})
	}
	if c.LeaseDuration < MinLeaseDuration || c.LeaseDuration > MaxDuration {
		fault("LeaseDuration", outside(c.LeaseDuration, MinLeaseDuration))
	}
	if c.HeartbeatInterval <= 0 || c.HeartbeatInterval > MaxDuration {
		fault("HeartbeatInterval", outside(c.HeartbeatInterval, 1))
	}
	if c.CandidateTimeout <= 0 || c.CandidateTimeout > MaxDuration {
		fault("CandidateTimeout", outside(c.CandidateTimeout, 1))
	} else if c.CandidateTimeout <= c.HeartbeatInterval {
		fault("CandidateTimeout", "is "+c.CandidateTimeout.String()+", not longer than the heartbeat of "+
			c.HeartbeatInterval.String()+": every candidate would count as dead between two heartbeats")
	}
	c.validateMargin(fault)
	for _, d := range []struct {
		field string
		value time.Duration
	}{{"PreemptionGrace", c.PreemptionGrace}, {"PreemptDelay", c.PreemptDelay}, {"MinimumTenure", c.MinimumTenure}} {
		if d.value < 0 || d.value > MaxDuration {
			fault(d.field, outside(d.value, 0))
		}
	}
	if c.HistoryLimit < 0 || c.HistoryLimit > MaxHistoryLimit {
		fault("HistoryLimit", "is "+strconv.Itoa(c.HistoryLimit)+"; use 0 to "+strconv.Itoa(MaxHistoryLimit))
	}
	if c.Expiry != ExpiryByClock && c.Expiry != ExpiryByObservation {
		fault("Expiry", "is "+c.Expiry.String()+"; use ExpiryByClock or ExpiryByObservation")
	}
	if faults == nil {
		return nil
	}
	return &InvalidConfigError{Faults: faults}
}

func (c Config) validateMargin(fault func(field, problem string)) {
	if c.Margin < 0 || c.Margin > MaxDuration {
		fault("Margin", outside(c.Margin, 0))
		return
	}
	if c.LeaseDuration <= 0 {
		return // already reported, and nothing can be compared with it
	}
	margin := c.EffectiveMargin()
	if margin >= c.LeaseDuration {
		fault("Margin", "is "+margin.String()+", not shorter than the lease of "+c.LeaseDuration.String())
		return
	}
	if c.HeartbeatInterval >= c.LeaseDuration-margin {
		fault("HeartbeatInterval", "is "+c.HeartbeatInterval.String()+", not shorter than the lease minus the margin ("+
			(c.LeaseDuration-margin).String()+"): a leader would stop leading between two renewals")
	}
}

// outside returns the problem of a duration that is not between low and
// MaxDuration.
func outside(d, low time.Duration) string {
	return "is " + d.String() + "; use " + low.String() + " to " + MaxDuration.String()
}
