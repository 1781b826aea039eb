package group

import (
	"github.com/fdbelection/fdbelection/internal/nested"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
)

// Initialize creates the group with a config. If the group exists, it changes nothing: use
// WriteConfig for that. It returns the stored config, so the caller can see which one counts.
// It is safe to run again.
//
// Errors: ErrInvalidConfig, ErrSharedKeys, ErrInvalidState.
func (g *Group) Initialize(tr kv.Transaction, config Config) (Config, error) {
	if err := config.Validate(); err != nil {
		return Config{}, err
	}
	value, err := tr.Get(g.keys.config).Get()
	if err != nil {
		return Config{}, err
	}
	if value != nil {
		return decodeConfig(g.keys.config, value)
	}
	if err := nested.Group.Check(tr, g.keys.space); err != nil {
		return Config{}, err
	}
	config.Revision = 1
	g.write(tr, KindConfig, "", config.encode())
	g.ring(tr)
	return config, nil
}

// ReadConfig returns the config by a snapshot read. Errors: ErrNotInitialized,
// ErrInvalidState.
func (g *Group) ReadConfig(tr kv.ReadTransaction) (Config, error) {
	return g.awaitConfig(tr.Snapshot().Get(g.keys.config))
}

func (g *Group) awaitConfig(read kv.Future[[]byte]) (Config, error) {
	value, err := read.Get()
	if err != nil {
		return Config{}, err
	}
	return decodeConfig(g.keys.config, value)
}

// WriteConfig replaces the config of a group that exists, and returns it with its new
// revision. If config has a Revision, it replaces only that revision. If the Revision is
// zero, it replaces any config, even a damaged one, but not one of a newer program. A run
// after an unknown result recognises its own success by the settings and the Nonce.
//
// Errors: ErrInvalidConfig, ErrNotInitialized, ErrConfigChanged, ErrInvalidState.
func (g *Group) WriteConfig(tr kv.Transaction, config Config) (Config, error) {
	if err := config.Validate(); err != nil {
		return Config{}, err
	}
	stored, err := g.awaitConfig(tr.Get(g.keys.config))
	switch {
	case config.Revision == 0 && record.IsDamaged(err):
		stored = Config{Revision: record.ReplacedRevision - 1}
	case err != nil:
		return Config{}, err
	}
	own := stored.Nonce == config.Nonce && stored.SameSettings(config)
	switch done, err := record.CheckRevision(stored.Revision, config.Revision, own); {
	case err != nil:
		return Config{}, err
	case done:
		return stored, nil
	}
	config.Revision = stored.Revision + 1
	g.write(tr, KindConfig, "", config.encode())
	g.ring(tr)
	return config, nil
}
