package machine

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// knownConfig is the config of the election as it was read last. Until then it is the
// one from the settings.
type knownConfig struct {
	fdbelection.Config
	read    bool      // it was read from the election
	takenAt time.Time // when the process learned of it, on the local clock
}

// adoptConfig takes the config from an answer unless it is older than the known one.
// A lower revision is older, except if its read began after the higher one was known:
// then the database was restored. A clock may show one instant for both, so "after" is strict.
func (m *Machine) adoptConfig(a *Answer) {
	config := a.Status.Config
	switch {
	case config.LeaseDuration == 0, m.config.read && config == m.config.Config:
		return // not in this answer, or unchanged
	case m.config.read && config.Revision < m.config.Revision && !a.Start.After(m.config.takenAt):
		return
	}
	first := !m.config.read
	m.config = knownConfig{Config: config, read: true, takenAt: m.now.Local}
	if first {
		m.watches.term.due = time.Time{} // an earlier attempt to watch had no election
	} else {
		m.me.heartbeatAt = clock.Earliest(m.me.heartbeatAt, m.now.Local.Add(config.CandidateTimeout/3))
		m.candidates.due = clock.Earliest(m.candidates.due, m.now.Local.Add(config.CandidateTimeout))
		m.renewal.now = m.renewal.now || m.tenure.leads()
	}
	m.do(ConfigChanged{Config: config})
}
