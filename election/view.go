package election

import (
	"errors"
	"fmt"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// view is what one wave of reads saw: all that a decision rests on.
type view struct {
	config fdbelection.Config
	leader Leader
	intent Intent
	own    *Candidate // nil: not registered
	other  *Candidate // nil: not asked for, or not registered
}

// mayReceive returns nil where the other candidate may be handed the seat.
func (v *view) mayReceive(id string) error {
	switch {
	case v.other == nil:
		return fmt.Errorf("%w: %s cannot receive the seat", fdbelection.ErrProcessNotFound, SafeText(id))
	case v.other.Role != Voter:
		return fmt.Errorf("%w: %s cannot receive the seat", fdbelection.ErrNotVoting, SafeText(id))
	}
	return nil
}

// load is a wave of reads under way. The config, the leader and the intent
// are read by snapshot, so that whoever changes nothing conflicts with nobody;
// candidates are read serialisably.
type load struct {
	election               *LeaderElection
	tr                     kv.Transaction
	config, leader, intent kv.Future[[]byte]
	own, second            candidateLoad
}

type candidateLoad struct {
	id     string
	key    []byte
	future kv.Future[[]byte]
}

func (e *LeaderElection) begin(tr kv.Transaction) load {
	l := e.beginRead(tr)
	l.tr = tr
	return l
}

// beginRead is begin for who reads no candidates.
func (e *LeaderElection) beginRead(tr kv.ReadTransaction) load {
	snapshot := tr.Snapshot()
	return load{
		election: e,
		config:   snapshot.Get(e.keys.config), leader: snapshot.Get(e.keys.leader), intent: snapshot.Get(e.keys.intent),
	}
}

// of adds the actor's own candidate record to the wave.
func (l *load) of(id string) { l.own = l.candidate(id) }

// other adds somebody else's.
func (l *load) other(id string) { l.second = l.candidate(id) }

func (l *load) candidate(id string) candidateLoad {
	key := l.election.keys.candidate(id)
	return candidateLoad{id: id, key: key, future: l.tr.Get(key)}
}

// snapshot reads a candidate without depending on it.
func (l *load) snapshot(id string) candidateLoad {
	key := l.election.keys.candidate(id)
	return candidateLoad{id: id, key: key, future: l.tr.Snapshot().Get(key)}
}

// await returns the view. An election that was never initialised, or a record
// that cannot be read, ends everything before anything is written.
func (l *load) await() (view, error) {
	v, err := l.awaitLenient()
	if err == nil && v.config.Revision == 0 {
		err = fdbelection.ErrNotInitialized
	}
	return v, err
}

// awaitLenient is await for what must work without a config too: leaving.
func (l *load) awaitLenient() (v view, err error) {
	keys := &l.election.keys
	value, err := l.config.Get()
	if err != nil {
		return v, err
	}
	if v.config, err = decodeConfig(keys.config, value); err != nil && !errors.Is(err, fdbelection.ErrNotInitialized) {
		return v, err
	}
	if value, err = l.leader.Get(); err != nil {
		return v, err
	}
	if v.leader, err = decodeLeader(keys.leader, value); err != nil {
		return v, err
	}
	if value, err = l.intent.Get(); err != nil {
		return v, err
	}
	if v.intent, err = decodeIntent(keys.intent, value); err != nil {
		return v, err
	}
	if v.own, err = l.own.await(); err != nil {
		return v, err
	}
	v.other, err = l.second.await()
	return v, err
}

func (c *candidateLoad) await() (*Candidate, error) {
	if c.future == nil {
		return nil, nil
	}
	value, err := c.future.Get()
	if err != nil {
		return nil, registrationPending(err)
	}
	if value == nil {
		return nil, nil
	}
	candidate, err := decodeCandidate(c.key, c.id, value)
	return &candidate, err
}

// registrationPending gives code 1036, of a read of what this transaction
// itself has registered, its name.
func registrationPending(err error) error {
	if kv.CodeOf(err) == kv.CodeAccessedUnreadable {
		return fdbelection.ErrRegistrationPending
	}
	return err
}

// conflictOn makes the commit depend on keys that were read by snapshot.
func conflictOn(tr kv.Transaction, keys ...[]byte) error {
	for _, key := range keys {
		if err := tr.AddReadConflictKey(key); err != nil {
			return err
		}
	}
	return nil
}
