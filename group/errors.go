package group

import "errors"

// The errors of a group. Compare them with errors.Is. A group also returns ErrNotInitialized,
// ErrElectionDisabled, ErrNotReady, ErrNotLeader, ErrFenced, ErrDuplicateID, ErrNoNonce,
// ErrSharedKeys, ErrConfigChanged, ErrInvalidConfig, ErrInvalidCandidate and ErrInvalidState of
// package fdbelection.
var (
	// ErrSessionEnded: the member has no session of this incarnation any more: it was
	// evicted, it has left, or another process has joined under its id. Stop the work on all
	// shards, and join with a new incarnation.
	ErrSessionEnded = errors.New("the session has ended: stop all work, and join again with a new incarnation")
	// ErrIncarnationUsed: the incarnation has joined before. Draw a new one in each attempt.
	ErrIncarnationUsed = errors.New("the incarnation has joined before: draw a new one in each attempt")
	// ErrNoShard: the group has no shard of that name.
	ErrNoShard = errors.New("the group has no shard of that name")
	// ErrHeld: the session of the leader of the shard lives.
	ErrHeld = errors.New("the shard is led by a member whose session lives")
	// ErrTarget: the target of a hand-over is absent, not ready or draining.
	ErrTarget = errors.New("the target is absent, not ready or draining")
	// ErrBatchTooLarge: the call names more than MaxBatch shards.
	ErrBatchTooLarge = errors.New("too many shards in one call")
	// ErrInvalidName: the name of a shard or the id of a member breaks a rule, or a batch names
	// a shard twice.
	ErrInvalidName = errors.New("invalid name")
)
