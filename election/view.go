package election

import (
	"fmt"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// view is what one wave of reads saw: everything that a decision rests on.
type view struct {
	config     fdbelection.Config
	leader     LeaderRecord
	intent     Request
	own        *Candidate // nil: not registered
	other      *Candidate // nil: not asked for, or not registered
	lost       bool       // leader stands in for a record that is gone
	unreadable unreadable
}

// unreadable says why a record of the view could not be read. Such a record costs
// what it describes and nothing else, so each function asks for the records that
// it needs.
type unreadable struct {
	config, leader, intent, own, other error
}

// initialized returns nil if there is a config to decide by.
func (v *view) initialized() error {
	if v.config.Revision > 0 || v.unreadable.config != nil {
		return v.unreadable.config
	}
	return fdbelection.ErrNotInitialized
}

// decidable returns nil if the config and the leader record can be read: without
// them nothing about the leadership can be decided.
func (v *view) decidable() error {
	if err := v.initialized(); err != nil {
		return err
	}
	return v.unreadable.leader
}

// mayReceive returns nil if the other candidate may be handed the leadership.
func (v *view) mayReceive(id string) error {
	switch {
	case v.unreadable.other != nil:
		return v.unreadable.other
	case v.other == nil:
		return fmt.Errorf("%w: %s cannot become the leader", fdbelection.ErrProcessNotFound, SafeText(id))
	case v.other.Role != Voter:
		return fmt.Errorf("%w: %s cannot become the leader", fdbelection.ErrNotVoting, SafeText(id))
	}
	return nil
}

// load is a wave of reads under way. The config, the leader and the intent
// are read by snapshot, so that a transaction that changes none of them conflicts
// with no other. Candidates are read serialisably.
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

// beginRead is like begin, for callers that do not read candidates.
func (e *LeaderElection) beginRead(tr kv.ReadTransaction) load {
	snapshot := tr.Snapshot()
	return load{
		election: e,
		config:   snapshot.Get(e.keys.config), leader: snapshot.Get(e.keys.leader), intent: snapshot.Get(e.keys.intent),
	}
}

// of adds the actor's own candidate record to the wave.
func (l *load) of(id string) { l.own = l.candidate(id) }

// other adds the record of another candidate.
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

// await returns the view. Its error is one of the database; records that cannot
// be read are noted in the view.
func (l *load) await() (v view, err error) {
	keys := &l.election.keys
	value, err := l.config.Get()
	if err != nil {
		return v, err
	}
	if value != nil {
		v.config, v.unreadable.config = decodeConfig(keys.config, value)
		if v.unreadable.config != nil {
			v.config = fdbelection.Config{}
		}
	}
	if value, err = l.leader.Get(); err != nil {
		return v, err
	}
	v.leader, v.unreadable.leader = decodeLeader(keys.leader, value)
	if value, err = l.intent.Get(); err != nil {
		return v, err
	}
	if v.intent, v.unreadable.intent = decodeIntent(keys.intent, value); v.unreadable.intent != nil {
		v.intent = Request{}
	}
	if v.own, v.unreadable.own, err = l.own.await(); err != nil {
		return v, err
	}
	if v.other, v.unreadable.other, err = l.second.await(); err != nil {
		return v, err
	}
	if l.tr != nil && v.leader.Ballot == 0 && v.unreadable.leader == nil {
		err = l.election.restore(l.tr, &v)
	}
	return v, err
}

// await returns the candidate, nil if it is not registered, and why its record
// cannot be read.
func (c *candidateLoad) await() (_ *Candidate, unreadable, err error) {
	if c.future == nil {
		return nil, nil, nil
	}
	value, err := c.future.Get()
	if err != nil {
		return nil, nil, registrationPending(err)
	}
	if value == nil {
		return nil, nil, nil
	}
	candidate, err := decodeCandidate(c.key, c.id, value)
	if err != nil {
		return nil, err, nil
	}
	return &candidate, nil, nil
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
