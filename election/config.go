package election

import (
	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/nested"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Initialize creates the election with fdbelection.DefaultConfig. It is otherwise like
// InitializeWithConfig.
func (e *LeaderElection) Initialize(tr kv.Transaction) (fdbelection.Config, error) {
	return e.InitializeWithConfig(tr, fdbelection.DefaultConfig())
}

// InitializeWithConfig creates the election with a config. If the election exists, it
// changes nothing: use WriteConfig for that. It returns the stored config, so the caller can
// see which one counts. It is safe to run again. If only the config was removed, term and
// ballot continue.
//
// Errors: ErrInvalidConfig, ErrSharedKeys, ErrRegistrationPending, ErrInvalidState.
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
	if err := nested.Election.Check(tr, e.keys.space); err != nil {
		return fdbelection.Config{}, registrationPending(err)
	}
	config.Revision = 1
	tr.Set(e.keys.config, encodeConfig(config))
	return config, nil
}

// ReadConfig returns the config by a snapshot read. Errors:
// ErrNotInitialized, ErrInvalidState.
func (e *LeaderElection) ReadConfig(tr kv.ReadTransaction) (fdbelection.Config, error) {
	value, err := tr.Snapshot().Get(e.keys.config).Get()
	if err != nil {
		return fdbelection.Config{}, err
	}
	return decodeConfig(e.keys.config, value)
}

// WriteConfig replaces the config of an election that is initialised, and returns it with
// its new revision. If config has a Revision, it replaces only that revision. If the
// Revision is zero, it replaces any config, even a damaged one, but not one of a newer
// program. The new config applies from the next claim or renewal. If it lowers the history
// limit, WriteConfig removes the entries beyond the limit.
//
// A run after an unknown result recognises its own success by the revision, the settings
// and the Nonce. If the Revision is zero, it uses the settings and the Nonce.
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
	switch {
	case config.Revision == 0 && record.IsDamaged(err):
		stored = fdbelection.Config{Revision: record.ReplacedRevision - 1, HistoryLimit: fdbelection.MaxHistoryLimit}
	case err != nil:
		return fdbelection.Config{}, err
	}
	own := stored.Nonce == config.Nonce && stored.SameSettings(config)
	switch done, err := record.CheckRevision(stored.Revision, config.Revision, own); {
	case err != nil:
		return fdbelection.Config{}, err
	case done:
		return stored, nil
	}
	if err := e.trimTo(tr, stored, config); err != nil {
		return fdbelection.Config{}, err
	}
	config.Revision = stored.Revision + 1
	tr.Set(e.keys.config, encodeConfig(config))
	return config, nil
}

// trimTo removes the history beyond a lower limit. A claim conflicts with a change of the
// config, so no claim with the old limit can commit afterwards.
func (e *LeaderElection) trimTo(tr kv.Transaction, before, after fdbelection.Config) error {
	if after.HistoryLimit >= before.HistoryLimit {
		return nil
	}
	value, err := tr.Get(e.keys.term).Get() // with a read conflict, so a claim that commits first makes this retry
	if err != nil || value == nil {
		return err
	}
	tenure, err := decodeTerm(e.keys.term, value)
	if err != nil {
		return nil //nolint:nilerr // without the term, the entries stay until the limit is lowered again
	}
	return e.trim(tr, firstKept(after, tenure.Term))
}

func encodeConfig(c fdbelection.Config) []byte {
	b := record.New(96)
	b = subspace.AppendInt(b, record.FormatVersion) // the highest format that records of this election may have
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
	b = subspace.AppendInt(b, int64(c.Expiry))
	return subspace.AppendInt(b, int64(c.PreemptDelay))
}

// decodeConfig reads a config record. Without a value, the error is ErrNotInitialized.
func decodeConfig(key, value []byte) (fdbelection.Config, error) {
	if value == nil {
		return fdbelection.Config{}, fdbelection.ErrNotInitialized
	}
	r := record.Open("config", key, value)
	if allowed := r.Int64(); allowed > record.FormatVersion {
		r.TooNew("allows records in a newer format: upgrade this program")
	}
	c := fdbelection.Config{
		Revision:          r.Count(),
		Nonce:             r.UUID(),
		LeaseDuration:     r.Duration(),
		HeartbeatInterval: r.Duration(),
		CandidateTimeout:  r.Duration(),
		ElectionEnabled:   r.Bool(),
		AllowPreemption:   r.Bool(),
		PreemptionGrace:   r.Duration(),
		MinimumTenure:     r.Duration(),
		Margin:            r.Duration(),
		HistoryLimit:      int(r.Int64()),
		Expiry:            fdbelection.ExpiryMode(r.Int64()),
	}
	if r.More() { // records of earlier programs do not have it
		c.PreemptDelay = r.Duration()
	}
	if c.Revision == 0 {
		r.Fail("its revision is zero")
	}
	if r.Sound() {
		if err := c.Validate(); err != nil {
			r.Fail(err.Error())
		}
	}
	return c, r.Close()
}
