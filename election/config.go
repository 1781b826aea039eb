package election

import (
	"fmt"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Initialize makes the election with fdbelection.DefaultConfig, or leaves it
// as it is where it exists. It returns the config that stands.
func (e *LeaderElection) Initialize(tr kv.Transaction) (fdbelection.Config, error) {
	return e.InitializeWithConfig(tr, fdbelection.DefaultConfig())
}

// InitializeWithConfig makes the election with a config, or leaves it as it is
// where it exists: use WriteConfig to change it. It returns the config that
// stands, so that a caller can tell. Run again it changes nothing. A ballot
// that was reached before goes on.
//
// Errors: ErrInvalidConfig, ErrInvalidState.
func (e *LeaderElection) InitializeWithConfig(tr kv.Transaction, config fdbelection.Config) (fdbelection.Config, error) {
	if err := config.Validate(); err != nil {
		return fdbelection.Config{}, err
	}
	value, err := tr.Get(e.keys.config).Get()
	if err != nil {
		return fdbelection.Config{}, err
	}
	if value != nil {
		return decodeConfig(e.keys.config, value)
	}
	config.Revision = 1
	tr.Set(e.keys.config, encodeConfig(config))
	return config, nil
}

// ReadConfig returns the config, by a snapshot read. Errors:
// ErrNotInitialized, ErrInvalidState.
func (e *LeaderElection) ReadConfig(tr kv.ReadTransaction) (fdbelection.Config, error) {
	value, err := tr.Snapshot().Get(e.keys.config).Get()
	if err != nil {
		return fdbelection.Config{}, err
	}
	return decodeConfig(e.keys.config, value)
}

// WriteConfig replaces the config of an election that is initialised, and
// returns it with its new revision. With a Revision it replaces only that one;
// without, whatever stands. It takes effect from the next claim or renewal.
//
// Run again after an unknown commit it recognises its own success by the
// revision, the settings and the Nonce; without a Revision, by the settings and
// the Nonce where there is one.
//
// Errors: ErrInvalidConfig, ErrNotInitialized, ErrConfigChanged,
// ErrInvalidState.
func (e *LeaderElection) WriteConfig(tr kv.Transaction, config fdbelection.Config) (fdbelection.Config, error) {
	if err := config.Validate(); err != nil {
		return fdbelection.Config{}, err
	}
	value, err := tr.Get(e.keys.config).Get()
	if err != nil {
		return fdbelection.Config{}, err
	}
	stored, err := decodeConfig(e.keys.config, value)
	if err != nil {
		return fdbelection.Config{}, err
	}
	own := stored.Nonce == config.Nonce && stored.SameSettings(config)
	switch {
	case config.Revision == 0 && own, config.Revision != 0 && own && stored.Revision == config.Revision+1:
		return stored, nil
	case config.Revision != 0 && config.Revision != stored.Revision:
		return fdbelection.Config{}, fmt.Errorf("%w: it is at revision %d, the change was made to %d",
			fdbelection.ErrConfigChanged, stored.Revision, config.Revision)
	}
	config.Revision = stored.Revision + 1
	tr.Set(e.keys.config, encodeConfig(config))
	return config, nil
}

func encodeConfig(c fdbelection.Config) []byte {
	b := newRecord(96)
	b = subspace.AppendInt(b, formatVersion) // what the records of this election may be written in
	b = subspace.AppendUint(b, c.Revision)
	b = subspace.AppendUUID(b, c.Nonce)
	b = subspace.AppendInt(b, int64(c.LeaseDuration))
	b = subspace.AppendInt(b, int64(c.HeartbeatInterval))
	b = subspace.AppendInt(b, int64(c.CandidateTimeout))
	b = subspace.AppendBool(b, c.ElectionEnabled)
	b = subspace.AppendBool(b, c.AllowPreemption)
	b = subspace.AppendInt(b, int64(c.PreemptionGrace))
	b = subspace.AppendInt(b, int64(c.MinimumTenure))
	b = subspace.AppendInt(b, int64(c.Margin))
	b = subspace.AppendInt(b, int64(c.HistoryLimit))
	return subspace.AppendInt(b, int64(c.Expiry))
}

// decodeConfig reads a config record; no value is an election that was never
// initialised.
func decodeConfig(key, value []byte) (fdbelection.Config, error) {
	if value == nil {
		return fdbelection.Config{}, fdbelection.ErrNotInitialized
	}
	r := openRecord("config", key, value)
	if allowed := r.Int64(); allowed > formatVersion {
		r.fail("allows records in a newer format: upgrade this program")
	}
	c := fdbelection.Config{
		Revision:          r.count(),
		Nonce:             r.UUID(),
		LeaseDuration:     r.duration(),
		HeartbeatInterval: r.duration(),
		CandidateTimeout:  r.duration(),
		ElectionEnabled:   r.Bool(),
		AllowPreemption:   r.Bool(),
		PreemptionGrace:   r.duration(),
		MinimumTenure:     r.duration(),
		Margin:            r.duration(),
		HistoryLimit:      int(r.Int64()),
		Expiry:            fdbelection.ExpiryMode(r.Int64()),
	}
	if c.Revision == 0 {
		r.fail("its revision is zero")
	}
	if r.fault == "" && r.Err() == nil {
		if err := c.Validate(); err != nil {
			r.fail(err.Error())
		}
	}
	return c, r.close()
}
