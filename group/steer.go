package group

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// noSession is the identity of a caller without a session.
var noSession election.Identity

// RequestKind says what a request asks of the leader of a shard.
type RequestKind int

// The kinds of requests. Their numbers are stored.
const (
	// NoRequest: nothing is asked.
	NoRequest RequestKind = iota
	// RemoveRequest: the leader removes the shard, in any term.
	RemoveRequest
	// ResignRequest: the leader of one term releases the shard.
	ResignRequest
)

// String returns the kind in a word.
func (k RequestKind) String() string {
	switch k {
	case NoRequest:
		return "none"
	case RemoveRequest:
		return "remove"
	case ResignRequest:
		return "resign"
	default:
		return "RequestKind(" + strconv.Itoa(int(k)) + ")"
	}
}

// Request is what an operator asks of the leader of a shard.
type Request struct {
	Kind RequestKind
	// Term is the term whose leader is asked to resign. The request is void in every other
	// term. For a removal, it is the term in which it was asked.
	Term uint64
	// Nonce names the request to resign.
	Nonce uuid.UUID
}

func (r Request) encode() []byte {
	b := subspace.AppendInt(record.New(32), int64(r.Kind))
	return subspace.AppendUUID(subspace.AppendUint(b, r.Term), r.Nonce)
}

func decodeRequest(key, value []byte) (Request, error) {
	r := record.Open("request", key, value)
	q := Request{Kind: RequestKind(r.Int32("kind")), Term: r.Count(), Nonce: r.UUID()}
	if r.Sound() && q.Kind != RemoveRequest && q.Kind != ResignRequest {
		r.Fail("kind " + strconv.Itoa(int(q.Kind)) + " is unknown")
	}
	return q, r.Close()
}

func pinValue(id string) []byte { return subspace.AppendString(record.New(len(id)+4), id) }

func decodePin(key, value []byte) (string, error) {
	r := record.Open("pin", key, value)
	id := r.Text()
	if r.Sound() && record.NameProblem(id) != "" {
		r.Fail("the id of the member " + record.NameProblem(id))
	}
	return id, r.Close()
}

// request writes a request, and replaces any other one, except that a removal stays. It
// rings the bell. read is a read of the request with a read conflict.
func (g *Group) request(tr kv.Transaction, name string, read kv.Future[[]byte], wanted Request) error {
	value, err := read.Get()
	if err != nil {
		return err
	}
	if value != nil {
		stored, err := decodeRequest(g.keys.of(KindRequest, name), value)
		switch {
		case record.IsNewer(err):
			return err
		case err == nil && (stored == wanted || stored.Kind == RemoveRequest):
			return nil
		}
	}
	g.write(tr, KindRequest, name, wanted.encode())
	g.ring(tr)
	return nil
}

// RequestResign asks the leader of a term of a shard to release it. Another member leads it
// next, unless there is none. If that tenure has ended already, it does nothing and returns
// nil. Choose the nonce outside of the transaction's closure. It is safe to run again.
//
// Errors: ErrNoShard, ErrNotLeader (the term has not begun), ErrNoNonce, ErrInvalidState.
func (g *Group) RequestResign(tr kv.Transaction, name string, term uint64, nonce uuid.UUID) error {
	if nonce == uuid.Nil {
		return fdbelection.ErrNoNonce
	}
	shard, err := g.readShard(tr, name)
	switch {
	case err != nil:
		return err
	case shard.Term < term:
		return fmt.Errorf("%w: term %d of %s has not begun, the newest is %d",
			fdbelection.ErrNotLeader, term, election.SafeText(name), shard.Term)
	case shard.Term > term, shard.Vacant():
		return nil
	}
	return g.request(tr, name, tr.Get(g.keys.of(KindRequest, name)), Request{Kind: ResignRequest, Term: term, Nonce: nonce})
}

// CancelRequest removes a request, even one that cannot be read. It reports whether there
// was one. A leader that has begun to drain goes on. It is safe to run again.
func (g *Group) CancelRequest(tr kv.Transaction, name string) (bool, error) {
	return g.unset(tr, KindRequest, name, "canceled")
}

// unset removes a record if it exists.
func (g *Group) unset(tr kv.Transaction, kind Kind, name, why string) (bool, error) {
	value, err := tr.Get(g.keys.of(kind, name)).Get()
	if err != nil || value == nil {
		return false, err
	}
	g.remove(tr, kind, name, "", why)
	g.ring(tr)
	return true, nil
}

// ReadShard returns the record of a shard, by a snapshot read. Errors: ErrNoShard,
// ErrInvalidState.
func (g *Group) ReadShard(tr kv.ReadTransaction, name string) (Shard, error) {
	return g.readShard(tr.Snapshot(), name)
}

func (g *Group) readShard(tr kv.ReadTransaction, name string) (Shard, error) {
	names := []string{name}
	outcomes, err := g.awaitShards(names, g.beginShards(tr, names))
	if err != nil {
		return Shard{}, err
	}
	return outcomes[0].Shard, outcomes[0].Err
}

// Pin makes a member lead a shard while it is present, ready and below its capacity. A member
// of that id need not exist. It replaces any other pin of the shard. It is safe to run again.
//
// Errors: ErrNoShard, ErrInvalidName.
func (g *Group) Pin(tr kv.Transaction, name, id string) error {
	if err := checkName("the id of the member", id); err != nil {
		return err
	}
	if err := checkName("the name of the shard", name); err != nil {
		return err
	}
	shard := tr.Get(g.keys.of(KindShard, name)) // with a read conflict: a removal also removes the pin
	stored, err := tr.Get(g.keys.of(KindPin, name)).Get()
	if err != nil {
		return err
	}
	value, err := shard.Get()
	switch {
	case err != nil:
		return err
	case value == nil:
		return noShard(name)
	}
	next := pinValue(id)
	if bytes.Equal(stored, next) {
		return nil
	}
	g.write(tr, KindPin, name, next)
	g.ring(tr)
	return nil
}

// Unpin removes the pin of a shard. It reports whether there was one. It is safe to run
// again.
func (g *Group) Unpin(tr kv.Transaction, name string) (bool, error) {
	return g.unset(tr, KindPin, name, "unpinned")
}

// Drain keeps a member empty, beyond its session: all of its shards go to other members.
// A member of that id need not exist. It is safe to run again. Errors: ErrNotInitialized,
// ErrInvalidName.
func (g *Group) Drain(tr kv.Transaction, id string) error {
	if err := checkName("the id of the member", id); err != nil {
		return err
	}
	config, err := tr.Snapshot().Get(g.keys.config).Get()
	switch {
	case err != nil:
		return err
	case config == nil:
		return fdbelection.ErrNotInitialized
	}
	value, err := tr.Get(g.keys.of(KindDrain, id)).Get()
	if err != nil || value != nil {
		return err
	}
	g.write(tr, KindDrain, id, record.New(4))
	g.ring(tr)
	return nil
}

// Undrain ends Drain. It reports whether the member was drained. It is safe to run again.
func (g *Group) Undrain(tr kv.Transaction, id string) (bool, error) {
	return g.unset(tr, KindDrain, id, "undrained")
}
