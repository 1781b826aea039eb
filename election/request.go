package election

import (
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// RequestKind says what an intent asks of the leader.
type RequestKind int

const (
	// NoRequest: nothing is asked.
	NoRequest RequestKind = iota
	// PreemptionRequest: a higher priority asks the leader to drain and hand over.
	PreemptionRequest
	// ResignRequest: an operator asks the leader to step down.
	ResignRequest
	// TransferRequest: an operator asks the leader to hand over to the Identity.
	TransferRequest
)

// String returns the kind in a word.
func (k RequestKind) String() string {
	switch k {
	case NoRequest:
		return "none"
	case PreemptionRequest:
		return "challenge"
	case ResignRequest:
		return "resign"
	case TransferRequest:
		return "transfer"
	default:
		return "RequestKind(" + strconv.Itoa(int(k)) + ")"
	}
}

// Request is what somebody asks of the leader of one term, and of no other
// term. There is at most one; any change of tenure clears it.
type Request struct {
	Kind RequestKind
	// Term is the one that the intent is about.
	Term uint64
	// Identity is the challenger, or the target of a transfer.
	Identity
	// Nonce names the intent; a transfer by request begins a tenure of this nonce.
	Nonce uuid.UUID
	// Counter is raised by a challenger in each of its cycles: one that stands
	// still has an author that is gone.
	Counter uint64
	// Priority is the challenger's.
	Priority int32
}

// String says what is asked, safe to print.
func (i Request) String() string {
	switch i.Kind {
	case PreemptionRequest:
		return fmt.Sprintf("challenge by %s of priority %d in term %d", i.Identity, i.Priority, i.Term)
	case TransferRequest:
		return fmt.Sprintf("transfer to %s in term %d", i.Identity, i.Term)
	default:
		return fmt.Sprintf("%s in term %d", i.Kind, i.Term)
	}
}

// about reports whether the intent asks something of the leader of term.
func (i *Request) about(term uint64) bool { return i.Kind != NoRequest && i.Term == term }

// requested reports whether an operator asks something of the leader of term.
func (i *Request) requested(term uint64) bool {
	return i.about(term) && (i.Kind == ResignRequest || i.Kind == TransferRequest)
}

// by reports whether the intent is a challenge by this incarnation.
func (i *Request) by(author Identity) bool {
	return i.Kind == PreemptionRequest && i.Identity == author
}

// concerns reports whether the intent is void once this incarnation is gone or
// votes no more: it is its challenge, or the transfer to it.
func (i *Request) concerns(who Identity) bool {
	return (i.Kind == PreemptionRequest || i.Kind == TransferRequest) && i.Identity == who
}

// dropRequest removes the intent that v saw, where it is void without who.
func (e *LeaderElection) dropRequest(tr kv.Transaction, v *view, who Identity) error {
	if !v.intent.concerns(who) {
		return nil
	}
	if err := conflictOn(tr, e.keys.intent); err != nil {
		return err
	}
	tr.Clear(e.keys.intent)
	return nil
}

func (i *Request) encode() []byte {
	b := newRecord(80 + len(i.ID))
	b = subspace.AppendInt(b, int64(i.Kind))
	b = subspace.AppendUint(b, i.Term)
	b = appendIdentity(b, i.Identity)
	b = subspace.AppendUUID(b, i.Nonce)
	b = subspace.AppendUint(b, i.Counter)
	return subspace.AppendInt(b, int64(i.Priority))
}

// decodeIntent reads an intent record; no value is no intent.
func decodeIntent(key, value []byte) (Request, error) {
	if value == nil {
		return Request{}, nil
	}
	r := openRecord("intent", key, value)
	i := Request{
		Kind:     RequestKind(r.Int64()),
		Term:     r.count(),
		Identity: r.identity(),
		Nonce:    r.UUID(),
		Counter:  r.count(),
		Priority: r.int32(),
	}
	if i.Kind < PreemptionRequest || i.Kind > TransferRequest {
		r.fail("kind " + strconv.Itoa(int(i.Kind)) + " is unknown")
	}
	return i, r.close()
}

// ReadRequest returns what is asked of the leader, by a snapshot read; its Kind
// is NoRequest where nothing is. One about another term than that of the leader
// is void. Errors: ErrInvalidState.
func (e *LeaderElection) ReadRequest(tr kv.ReadTransaction) (Request, error) {
	value, err := tr.Snapshot().Get(e.keys.intent).Get()
	if err != nil {
		return Request{}, err
	}
	return decodeIntent(e.keys.intent, value)
}

// RequestResign asks the leader of term to step down; the request is void
// under any other term. Choose the nonce outside of the transaction's closure.
// Where that tenure has ended already there is nothing to ask, and the answer
// is nil. It takes the place of a challenge; another request about the same
// term has to be cancelled first.
//
// Errors: ErrNotInitialized, ErrNotLeader (the term has not begun),
// ErrRequestPending, ErrNoNonce, ErrInvalidState.
func (e *LeaderElection) RequestResign(tr kv.Transaction, term uint64, nonce uuid.UUID) error {
	return e.request(tr, Request{Kind: ResignRequest, Term: term, Nonce: nonce})
}

// RequestTransfer asks the leader of term to hand its seat over to the
// candidate of an id, as RequestResign asks it to step down. It is about that
// candidate's present incarnation. The tenure that follows from it has the nonce
// of the request, by which its author can tell that it was done.
//
// Errors: those of RequestResign, and ErrProcessNotFound, ErrNotVoting,
// ErrInvalidCandidate, ErrRegistrationPending of the target.
func (e *LeaderElection) RequestTransfer(tr kv.Transaction, term uint64, to string, nonce uuid.UUID) error {
	if err := validateID(to); err != nil {
		return err
	}
	return e.request(tr, Request{Kind: TransferRequest, Term: term, Identity: Identity{ID: to}, Nonce: nonce})
}

func (e *LeaderElection) request(tr kv.Transaction, wanted Request) error {
	if wanted.Nonce == uuid.Nil {
		return fdbelection.ErrNoNonce
	}
	load := e.begin(tr)
	if wanted.Kind == TransferRequest {
		load.other(wanted.ID)
	}
	v, err := load.await()
	if err == nil {
		err = v.decidable()
	}
	if err != nil {
		return err
	}
	switch {
	case v.leader.Term < wanted.Term:
		return fmt.Errorf("%w: term %d has not begun, the newest is %d", fdbelection.ErrNotLeader, wanted.Term, v.leader.Term)
	case v.leader.Term > wanted.Term, v.leader.Vacant():
		return nil
	case v.intent.requested(wanted.Term) && v.intent.Nonce == wanted.Nonce:
		return nil
	case v.unreadable.intent != nil:
		return fmt.Errorf("%w; cancel it first, with CancelAnyRequest or `fdbelect cancel`", v.unreadable.intent)
	case v.intent.requested(wanted.Term):
		return fmt.Errorf("%w (%s, nonce %s)", fdbelection.ErrRequestPending, v.intent, v.intent.Nonce)
	}
	if wanted.Kind == TransferRequest {
		if wanted.ID == v.leader.ID {
			return alreadyHolds(wanted.ID)
		}
		if err := v.mayReceive(wanted.ID); err != nil {
			return err
		}
		wanted.Identity = v.other.Identity
		// What removes that incarnation, or makes it an observer, and has not read this
		// intent must not be committed after it: nothing else would take it away.
		if err := tr.AddWriteConflictKey(e.keys.candidate(wanted.ID)); err != nil {
			return err
		}
	}
	if err := conflictOn(tr, e.keys.term, e.keys.intent); err != nil {
		return err
	}
	tr.Set(e.keys.intent, wanted.encode())
	return nil
}

// CancelRequest takes a request back, by its nonce. If it does not stand any
// more, CancelRequest does nothing and returns nil: the leader record says what
// became of it. A request that its author is still retrying may be written again.
//
// Errors: ErrInvalidState.
func (e *LeaderElection) CancelRequest(tr kv.Transaction, nonce uuid.UUID) error {
	value, err := tr.Get(e.keys.intent).Get()
	if err != nil {
		return err
	}
	intent, err := decodeIntent(e.keys.intent, value)
	if err != nil {
		return err
	}
	if intent.requested(intent.Term) && intent.Nonce == nonce {
		tr.Clear(e.keys.intent)
	}
	return nil
}

// CancelAnyRequest removes whatever is asked of the leader: a request, a challenge,
// or an intent that cannot be read. It reports whether there was one. A challenger
// that is alive challenges again in its next cycle. It is safe to run again.
func (e *LeaderElection) CancelAnyRequest(tr kv.Transaction) (bool, error) {
	value, err := tr.Get(e.keys.intent).Get()
	if err != nil || value == nil {
		return false, err
	}
	tr.Clear(e.keys.intent)
	return true, nil
}
