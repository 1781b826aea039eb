package election

import (
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// RequestKind says what a request asks of the leader.
type RequestKind int

const (
	// NoRequest: nothing is asked.
	NoRequest RequestKind = iota
	// PreemptionRequest: a candidate of higher priority asks the leader to hand over to it.
	PreemptionRequest
	// ResignRequest: an operator asks the leader to resign.
	ResignRequest
	// TransferRequest: an operator asks the leader to hand over to Request.Identity.
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

// Request is what is asked of the leader of one term. It is void in every other term. At
// most one stands, and every change of tenure clears it.
type Request struct {
	Kind RequestKind
	// Term is the term whose leader is asked.
	Term uint64
	// Identity is the challenger, or the target of a transfer.
	Identity
	// Nonce names the request. The tenure that a hand-over begins has the same nonce.
	Nonce uuid.UUID
	// Counter is raised by a challenger in each of its cycles. If it does not change, the
	// challenger is gone.
	Counter uint64
	// Priority is the priority of the challenger.
	Priority int32
	// TraceParent is the trace context of the challenger, a valid W3C traceparent of version
	// 00 (WithTraceParent), or empty. No decision depends on it. Another process wrote it, so
	// make it a link of a span, and not a parent.
	TraceParent string
}

// String says what is asked. It is safe to print.
func (r Request) String() string {
	switch r.Kind {
	case PreemptionRequest:
		return fmt.Sprintf("challenge by %s of priority %d in term %d", r.Identity, r.Priority, r.Term)
	case TransferRequest:
		return fmt.Sprintf("transfer to %s in term %d", r.Identity, r.Term)
	default:
		return fmt.Sprintf("%s in term %d", r.Kind, r.Term)
	}
}

// about reports whether the request asks something of the leader of term.
func (r *Request) about(term uint64) bool { return r.Kind != NoRequest && r.Term == term }

// byOperator reports whether an operator asks something of the leader of term.
func (r *Request) byOperator(term uint64) bool {
	return r.about(term) && (r.Kind == ResignRequest || r.Kind == TransferRequest)
}

// by reports whether it is a preemption request by this incarnation.
func (r *Request) by(author Identity) bool {
	return r.Kind == PreemptionRequest && r.Identity == author
}

// concerns reports whether the request is void if this incarnation is gone or is not a
// voter any more. It is the author of a preemption request, or the target of a transfer.
func (r *Request) concerns(named Identity) bool {
	return (r.Kind == PreemptionRequest || r.Kind == TransferRequest) && r.Identity == named
}

// dropRequest removes the request that the view saw, if it is void without named.
func (e *LeaderElection) dropRequest(tr kv.Transaction, v *view, named Identity) error {
	if !v.request.concerns(named) {
		return nil
	}
	if err := record.ConflictOn(tr, e.keys.request); err != nil {
		return err
	}
	tr.Clear(e.keys.request)
	return nil
}

func (r *Request) encode() []byte {
	b := record.New(80 + len(r.ID) + len(r.TraceParent))
	b = subspace.AppendInt(b, int64(r.Kind))
	b = subspace.AppendUint(b, r.Term)
	b = appendIdentity(b, r.Identity)
	b = subspace.AppendUUID(b, r.Nonce)
	b = subspace.AppendUint(b, r.Counter)
	b = subspace.AppendInt(b, int64(r.Priority))
	if r.TraceParent != "" {
		b = subspace.AppendString(b, r.TraceParent)
	}
	return b
}

// decodeRequest reads a request record. Without a value, it returns NoRequest. The key
// and the name of the record are still "intent".
func decodeRequest(key, value []byte) (Request, error) {
	if value == nil {
		return Request{}, nil
	}
	r := record.Open("intent", key, value)
	request := Request{
		Kind:     RequestKind(r.Int64()),
		Term:     r.Count(),
		Identity: readIdentity(&r),
		Nonce:    r.UUID(),
		Counter:  r.Count(),
		Priority: r.Int32("priority"),
	}
	if request.Kind < PreemptionRequest || request.Kind > TransferRequest {
		r.Fail("kind " + strconv.Itoa(int(request.Kind)) + " is unknown")
	}
	request.TraceParent = decodeTraceParent(r.Reader)
	return request, r.Close()
}

// ReadRequest returns what is asked of the leader, by a snapshot read. Its Kind is NoRequest
// if nothing is asked. A request about another term than that of the leader is void.
// Errors: ErrInvalidState.
func (e *LeaderElection) ReadRequest(tr kv.ReadTransaction) (Request, error) {
	value, err := tr.Snapshot().Get(e.keys.request).Get()
	if err != nil {
		return Request{}, err
	}
	return decodeRequest(e.keys.request, value)
}

// RequestResign asks the leader of term to resign. The request is void in every other term.
// Choose the nonce outside of the transaction's closure. If that tenure has ended already,
// it does nothing and returns nil. It replaces a preemption request. Another request of an
// operator about the same term has to be cancelled first.
//
// Errors: ErrNotInitialized, ErrNotLeader (the term has not begun),
// ErrRequestPending, ErrNoNonce, ErrInvalidState.
func (e *LeaderElection) RequestResign(tr kv.Transaction, term uint64, nonce uuid.UUID) error {
	return e.request(tr, Request{Kind: ResignRequest, Term: term, Nonce: nonce})
}

// RequestTransfer asks the leader of term to hand over to the candidate with an id. It is
// about the incarnation that is registered now, and otherwise like RequestResign. The tenure
// of the successor has the nonce of the request, so its author can tell that it was done.
//
// Errors: those of RequestResign, and ErrProcessNotFound, ErrNotVoting, ErrNotReady,
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
	reads := e.beginReads(tr)
	if wanted.Kind == TransferRequest {
		reads.other = e.readCandidate(tr, wanted.ID)
	}
	v, err := reads.await()
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
	case v.request.byOperator(wanted.Term) && v.request.Nonce == wanted.Nonce:
		return nil
	case v.unreadable.request != nil:
		return fmt.Errorf("%w; cancel it first, with CancelAnyRequest or `fdbelect cancel`", v.unreadable.request)
	case v.request.byOperator(wanted.Term):
		return fmt.Errorf("%w (%s, nonce %s)", fdbelection.ErrRequestPending, v.request, v.request.Nonce)
	}
	if wanted.Kind == TransferRequest {
		if wanted.ID == v.leader.ID {
			return alreadyHolds(wanted.ID)
		}
		if err := v.mayReceive(wanted.ID); err != nil {
			return err
		}
		wanted.Identity = v.other.Identity
		// A concurrent transaction may remove that incarnation or make it an observer. If it
		// committed afterwards, nothing would remove this request. This write conflict makes it
		// fail.
		if err := tr.AddWriteConflictKey(e.keys.candidate(wanted.ID)); err != nil {
			return err
		}
	}
	if err := record.ConflictOn(tr, e.keys.term, e.keys.request); err != nil {
		return err
	}
	tr.Set(e.keys.request, wanted.encode())
	return nil
}

// requestPreemption writes the caller's preemption request, or raises the counter of the
// one that stands. It depends on the term record and not on the leader record, so it
// conflicts with changes of the tenure and not with renewals.
func (e *LeaderElection) requestPreemption(tr kv.Transaction, v *view, c *caller, nonce uuid.UUID) (Request, error) {
	next := Request{
		Kind: PreemptionRequest, Term: v.leader.Term, Identity: c.Identity,
		Nonce: nonce, Counter: 1, Priority: c.priority,
	}
	if v.request.Nonce == nonce {
		next.Counter = v.request.Counter + 1
	}
	if c.traceParent != nil {
		next.TraceParent = knownTraceParent(c.traceParent(next.Term))
	}
	// A concurrent transaction may remove the author, replace it or make it an observer. If
	// it committed afterwards, the request would stand for the rest of the term. This write
	// conflict makes it fail. RunElectionCycle also writes that key with its heartbeat.
	if err := tr.AddWriteConflictKey(e.keys.candidate(c.ID)); err != nil {
		return Request{}, err
	}
	if err := record.ConflictOn(tr, e.keys.request, e.keys.term, e.keys.config); err != nil {
		return Request{}, err
	}
	tr.Set(e.keys.request, next.encode())
	return next, nil
}

// CancelRequest removes the request of an operator, by its nonce. If it does not stand any
// more, CancelRequest does nothing and returns nil, and the leader record says what became
// of it. A request that its author is still retrying may be written again.
//
// Errors: ErrInvalidState.
func (e *LeaderElection) CancelRequest(tr kv.Transaction, nonce uuid.UUID) error {
	value, err := tr.Get(e.keys.request).Get()
	if err != nil {
		return err
	}
	request, err := decodeRequest(e.keys.request, value)
	if err != nil {
		return err
	}
	if request.byOperator(request.Term) && request.Nonce == nonce {
		tr.Clear(e.keys.request)
	}
	return nil
}

// CancelAnyRequest removes any request, even one that cannot be read. It reports whether
// there was one. A challenger that is alive asks again in its next cycle. It is safe to run
// again.
func (e *LeaderElection) CancelAnyRequest(tr kv.Transaction) (bool, error) {
	value, err := tr.Get(e.keys.request).Get()
	if err != nil || value == nil {
		return false, err
	}
	tr.Clear(e.keys.request)
	return true, nil
}
