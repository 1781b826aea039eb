package election

import (
	"fmt"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// view is what one wave of reads saw. Every decision depends on a view.
type view struct {
	config     fdbelection.Config
	leader     LeaderRecord
	request    Request
	own        *Candidate // nil: not registered
	other      *Candidate // nil: not read, or not registered
	lost       bool       // leader was derived from the term record, as the leader record is gone
	unreadable unreadable
}

// unreadable holds the errors of the records that could not be read. Each function checks
// only those of the records that it needs.
type unreadable struct {
	config, leader, request, own, other error
}

// initialized returns nil if there is a readable config.
func (v *view) initialized() error {
	if v.config.Revision > 0 || v.unreadable.config != nil {
		return v.unreadable.config
	}
	return fdbelection.ErrNotInitialized
}

// decidable returns nil if the config and the leader record could be read. Every decision
// about the leadership needs both.
func (v *view) decidable() error {
	if err := v.initialized(); err != nil {
		return err
	}
	return v.unreadable.leader
}

// mayReceive returns nil if leadership may be handed to the other candidate.
func (v *view) mayReceive(id string) error {
	switch {
	case v.unreadable.other != nil:
		return v.unreadable.other
	case v.other == nil:
		return fmt.Errorf("%w: %s cannot become the leader", fdbelection.ErrProcessNotFound, SafeText(id))
	case v.other.Role != Voter:
		return fmt.Errorf("%w: %s cannot become the leader", fdbelection.ErrNotVoting, SafeText(id))
	case !v.other.Ready():
		return fmt.Errorf("%w: %s cannot become the leader: %s", fdbelection.ErrNotReady, SafeText(id), SafeText(v.other.NotReady))
	}
	return nil
}

// reads is a wave of reads that has begun. The config, the leader record and the request
// are read by snapshot, so a transaction that changes none of them conflicts with no other.
type reads struct {
	election                *LeaderElection
	tr                      kv.ReadTransaction // nil: await does not look for a lost leader record
	config, leader, request kv.Future[[]byte]
	own, other              candidateRead
}

// beginReads begins to read the config, the leader record and the request. The caller may
// add candidates before it calls await.
func (e *LeaderElection) beginReads(tr kv.ReadTransaction) reads {
	snapshot := tr.Snapshot()
	return reads{
		election: e, tr: tr,
		config: snapshot.Get(e.keys.config), leader: snapshot.Get(e.keys.leader), request: snapshot.Get(e.keys.request),
	}
}

// await returns the view. Its error is one of the store. Records that cannot be read are
// noted in the view.
func (r *reads) await() (v view, err error) {
	keys := &r.election.keys
	value, err := r.config.Get()
	if err != nil {
		return v, err
	}
	if value != nil {
		v.config, v.unreadable.config = decodeConfig(keys.config, value)
		if v.unreadable.config != nil {
			v.config = fdbelection.Config{}
		}
	}
	if value, err = r.leader.Get(); err != nil {
		return v, err
	}
	v.leader, v.unreadable.leader = decodeLeader(keys.leader, value)
	if value, err = r.request.Get(); err != nil {
		return v, err
	}
	if v.request, v.unreadable.request = decodeRequest(keys.request, value); v.unreadable.request != nil {
		v.request = Request{}
	}
	if v.own, v.unreadable.own, err = r.own.await(); err != nil {
		return v, err
	}
	if v.other, v.unreadable.other, err = r.other.await(); err != nil {
		return v, err
	}
	if r.tr != nil && v.leader.Ballot == 0 && v.unreadable.leader == nil {
		err = r.election.restore(r.tr, &v)
	}
	return v, err
}

// candidateRead is the read of one candidate record that has begun.
type candidateRead struct {
	id     string
	key    []byte
	future kv.Future[[]byte] // nil: the candidate is not read
}

// readCandidate begins to read a candidate record. Pass a snapshot to read it without a
// read conflict.
func (e *LeaderElection) readCandidate(tr kv.ReadTransaction, id string) candidateRead {
	key := e.keys.candidate(id)
	return candidateRead{id: id, key: key, future: tr.Get(key)}
}

// await returns the candidate, or nil if it is not registered. The second result says why
// its record cannot be read.
func (c *candidateRead) await() (_ *Candidate, unreadable, err error) {
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

// registrationPending replaces code 1036, which a read of a candidate returns that this
// transaction itself has registered.
func registrationPending(err error) error {
	if kv.CodeOf(err) == kv.CodeAccessedUnreadable {
		return fdbelection.ErrRegistrationPending
	}
	return err
}
