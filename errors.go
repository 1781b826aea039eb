package fdbelection

import (
	"errors"
	"strconv"
	"strings"
)

// The errors of an election. Compare with errors.Is; those that carry data are
// typed as well, for errors.As.
var (
	// ErrNotInitialized: the election has no config yet. Call Initialize first,
	// and check the subspace.
	ErrNotInitialized = errors.New("election is not initialized: call Initialize first, and check that the subspace is the right one")
	// ErrElectionDisabled: the config forbids claims and renewals. Heartbeats and
	// resignations go on.
	ErrElectionDisabled = errors.New("election is disabled by its config")
	// ErrUnregisteredCandidate: the acting candidate has no record. Register it
	// again; it may have been evicted.
	ErrUnregisteredCandidate = errors.New("candidate is not registered: call RegisterCandidate (it may have been evicted)")
	// ErrRegistrationPending: the candidate was registered in this very
	// transaction, and its versionstamp is known only once that has committed. The
	// database refuses to commit a transaction that has tried to read it (code
	// 1036): begin another one.
	ErrRegistrationPending = errors.New("registration is pending: it can be read after the transaction that made it has committed")
	// ErrProcessNotFound: no candidate of that id is registered.
	ErrProcessNotFound = errors.New("no candidate of that id is registered")
	// ErrDuplicateID: the candidate record of this id belongs to another
	// incarnation: a newer process of the same name, or an older one that is alive.
	ErrDuplicateID = errors.New("another process has registered under the same id")
	// ErrNotVoting: the candidate is an observer, which never leads.
	ErrNotVoting = errors.New("candidate is an observer and never leads")
	// ErrNotLeader: the caller does not hold the seat in the term it named.
	ErrNotLeader = errors.New("not the leader")
	// ErrFenced: the term of the token is not the one that stands; nothing must be
	// written on its authority any more.
	ErrFenced = errors.New("fenced: leadership of that term is over")
	// ErrNoNonce: the nonce that names an intended act is zero.
	ErrNoNonce = errors.New("the nonce is zero: draw one (uuid.New) outside of the transaction's closure")
	// ErrRequestPending: another request about the same term stands. Remove it with
	// LeaderElection.CancelRequest or CancelAnyRequest, or `fdbelect cancel`.
	ErrRequestPending = errors.New("another request about this term stands: remove it first, with CancelAnyRequest or `fdbelect cancel`")
	// ErrLeaderRenewed: the holder that was to lose its seat has renewed its lease
	// since it was looked at, so it is alive.
	ErrLeaderRenewed = errors.New("the leader has renewed its lease meanwhile: it is alive")
	// ErrTermFloor: the term to which the election is to be raised is out of range.
	ErrTermFloor = errors.New("the floor of the term is out of range")
	// ErrSharedKeys: the election would share keys with another one.
	ErrSharedKeys = errors.New("the election would share keys with another one: choose another subspace")
	// ErrConfigChanged: the config is not at the revision that the write named.
	ErrConfigChanged = errors.New("config was changed by somebody else: read it again and repeat the change")
	// ErrInvalidConfig: the config breaks a rule; see InvalidConfigError.
	ErrInvalidConfig = errors.New("invalid config")
	// ErrInvalidCandidate: an id, role or metadata breaks a rule; see
	// InvalidCandidateError.
	ErrInvalidCandidate = errors.New("invalid candidate")
	// ErrInvalidState: a stored record cannot be read; see InvalidStateError.
	ErrInvalidState = errors.New("invalid stored record")
)

// ConfigFault is one broken rule of a Config.
type ConfigFault struct {
	// Field is the name of the field in Config.
	Field string
	// Problem says what is wrong with it and what to do, as the rest of a
	// sentence that begins with the field.
	Problem string
}

// InvalidConfigError lists every fault of a config. It matches
// ErrInvalidConfig.
type InvalidConfigError struct {
	Faults []ConfigFault
}

// Error names all faults.
func (e *InvalidConfigError) Error() string {
	parts := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		parts[i] = f.Field + " " + f.Problem
	}
	return ErrInvalidConfig.Error() + ": " + strings.Join(parts, "; ")
}

// Unwrap returns ErrInvalidConfig.
func (e *InvalidConfigError) Unwrap() error { return ErrInvalidConfig }

// InvalidCandidateError says what is wrong with an id, a role or metadata. It
// matches ErrInvalidCandidate.
type InvalidCandidateError struct {
	// Field is "id", "role" or "metadata".
	Field string
	// Problem says what is wrong and what to do; anything untrusted in it is
	// quoted.
	Problem string
}

// Error names the field and the problem.
func (e *InvalidCandidateError) Error() string {
	return ErrInvalidCandidate.Error() + ": " + e.Field + " " + e.Problem
}

// Unwrap returns ErrInvalidCandidate.
func (e *InvalidCandidateError) Unwrap() error { return ErrInvalidCandidate }

// InvalidStateError names a key whose record cannot be read. The record is
// left as it is. It matches ErrInvalidState.
type InvalidStateError struct {
	// Key is the whole key in the database.
	Key []byte
	// Record is the kind of the record: "config", "leader", "candidate" and so on.
	Record string
	// Problem says what is wrong with the bytes.
	Problem string
	// Newer says that a newer version of this program has written the record. It is
	// not damaged: upgrade, and do not repair it.
	Newer bool
}

// Error names the record, its key (quoted) and the problem.
func (e *InvalidStateError) Error() string {
	return ErrInvalidState.Error() + ": " + e.Record + " at key " + strconv.QuoteToASCII(string(e.Key)) + ": " + e.Problem
}

// Unwrap returns ErrInvalidState.
func (e *InvalidStateError) Unwrap() error { return ErrInvalidState }
