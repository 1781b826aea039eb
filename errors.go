package fdbelection

import (
	"errors"
	"strconv"
	"strings"
)

// The errors of an election. Compare them with errors.Is. Errors with data are
// also typed, for errors.As.
var (
	// ErrNotInitialized: the election has no config yet. Call Initialize first,
	// and check that the subspace is the right one.
	ErrNotInitialized = errors.New("election is not initialized: call Initialize first, and check that the subspace is the right one")
	// ErrElectionDisabled: the config forbids claims and renewals. Heartbeats and
	// resignations still work.
	ErrElectionDisabled = errors.New("election is disabled by its config")
	// ErrUnregisteredCandidate: the acting candidate has no record, for example
	// because it was evicted. Register it again.
	ErrUnregisteredCandidate = errors.New("candidate is not registered: call RegisterCandidate (it may have been evicted)")
	// ErrRegistrationPending: the candidate was registered in the same
	// transaction, and its versionstamp is known only after the commit. The database
	// refuses to commit a transaction that has tried to read it (code 1036), so start
	// a new one.
	ErrRegistrationPending = errors.New("registration is pending: it can be read after the transaction that made it has committed")
	// ErrProcessNotFound: no candidate with that id is registered.
	ErrProcessNotFound = errors.New("no candidate with that id is registered")
	// ErrDuplicateID: the candidate record of this id belongs to another
	// incarnation: a newer process with the same id, or an older one that is alive.
	ErrDuplicateID = errors.New("another process is registered with the same id")
	// ErrNotVoting: the candidate is an observer, which never leads.
	ErrNotVoting = errors.New("candidate is an observer and never leads")
	// ErrNotReady: the candidate or the member is not ready to lead. The text of the error says why.
	ErrNotReady = errors.New("not ready to lead")
	// ErrNotLeader: the caller does not lead in the term that it gave.
	ErrNotLeader = errors.New("not the leader")
	// ErrFenced: the term of the token is not the current one. The caller must not
	// write anything in this term any more.
	ErrFenced = errors.New("fenced: leadership of that term is over")
	// ErrNoNonce: the nonce that identifies an operation is zero.
	ErrNoNonce = errors.New("the nonce is zero: draw one (uuid.New) outside the transaction's closure")
	// ErrRequestPending: another request for the same term is pending. Cancel it
	// first, with the Cancel methods of LeaderElection or with `fdbelect cancel`.
	ErrRequestPending = errors.New("another request for this term is pending: cancel it first (`fdbelect cancel`)")
	// ErrLeaderRenewed: the leader that was to be removed has renewed its lease
	// since the caller read it, so it is alive.
	ErrLeaderRenewed = errors.New("the leader has renewed its lease in the meantime, so it is alive")
	// ErrTermFloor: the term floor that was given to RaiseTerm is out of range.
	ErrTermFloor = errors.New("the term floor is out of range")
	// ErrSharedKeys: the election or group would share keys with another one.
	ErrSharedKeys = errors.New("it would share keys with another election or group: choose another subspace")
	// ErrConfigChanged: the config is not at the revision that the write gave.
	ErrConfigChanged = errors.New("config was changed in the meantime: read it again and repeat the change")
	// ErrInvalidConfig: the config breaks a rule; see InvalidConfigError.
	ErrInvalidConfig = errors.New("invalid config")
	// ErrInvalidCandidate: an id, role or metadata breaks a rule; see
	// InvalidCandidateError.
	ErrInvalidCandidate = errors.New("invalid candidate")
	// ErrInvalidState: a stored record cannot be read; see InvalidStateError.
	ErrInvalidState = errors.New("invalid stored record")
)

// ConfigFault is one fault of a Config.
type ConfigFault struct {
	// Field is the name of the field in Config.
	Field string
	// Problem says what is wrong with it and what to do. It continues a sentence
	// that starts with the field.
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
	// Problem says what is wrong and what to do. Untrusted text in it is quoted.
	Problem string
}

// Error names the field and the problem.
func (e *InvalidCandidateError) Error() string {
	return ErrInvalidCandidate.Error() + ": " + e.Field + " " + e.Problem
}

// Unwrap returns ErrInvalidCandidate.
func (e *InvalidCandidateError) Unwrap() error { return ErrInvalidCandidate }

// InvalidStateError reports a record that cannot be read. The record is left
// unchanged. The error matches ErrInvalidState.
type InvalidStateError struct {
	// Key is the full key in the database.
	Key []byte
	// Record is the kind of the record: "config", "leader", "candidate" and so on.
	Record string
	// Problem says what is wrong with the bytes.
	Problem string
	// Newer says that a newer version of this program wrote the record. The record
	// is not damaged. Upgrade instead of repairing it.
	Newer bool
}

// Error names the record, its key (quoted) and the problem.
func (e *InvalidStateError) Error() string {
	return ErrInvalidState.Error() + ": " + e.Record + " at key " + strconv.QuoteToASCII(string(e.Key)) + ": " + e.Problem
}

// Unwrap returns ErrInvalidState.
func (e *InvalidStateError) Unwrap() error { return ErrInvalidState }
