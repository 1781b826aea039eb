package kv

// Error codes that engines return. Numbers and meanings are FoundationDB's.
const (
	CodeTransactionTooOld     = 1007 // the read version is older than the versions that the database keeps
	CodeFutureVersion         = 1009 // the read version is ahead of the storage
	CodeNotCommitted          = 1020 // the commit conflicted with another transaction
	CodeCommitUnknownResult   = 1021 // the transaction committed, or it never will
	CodeTransactionCancelled  = 1025 // Cancel or Reset ended the operation
	CodeWatchCancelled        = 1029 // Cancel ended the watch
	CodeTransactionTimedOut   = 1031 // the time limit passed
	CodeTooManyWatches        = 1032 // too many outstanding watches
	CodeAccessedUnreadable    = 1036 // a read of a key or value that a versionstamp determines at commit
	CodeProcessBehind         = 1037 // the storage server is lagging
	CodeDatabaseLocked        = 1038 // the database is locked
	CodeClusterVersionChanged = 1039 // the cluster changed its protocol version
	CodeCommitProxyMemory     = 1042 // a commit proxy is out of memory
	CodeBatchThrottled        = 1051 // a batch-priority transaction is throttled
	CodeGRVProxyMemory        = 1078 // a read-version proxy is out of memory
	CodeBlobGranuleFailed     = 1079 // a blob granule request failed
	CodeTagThrottled          = 1213 // the transaction's tag is throttled
	CodeProxyTagThrottled     = 1223 // the transaction's tag is throttled at a proxy
	CodeIOError               = 1510 // the disk failed
	CodeInvalidOperation      = 2000 // an invalid operation, such as a versionstamp offset out of range
	CodeKeyOutsideLegalRange  = 2004 // a key in the system key space
	CodeInvertedRange         = 2005 // a range that ends before it begins
	CodeUsedDuringCommit      = 2017 // the transaction was used after its commit began
	CodeInvalidVersion        = 2020 // there is no versionstamp because the commit failed
	CodeNoCommitVersion       = 2021 // there is no versionstamp because the transaction was read-only
	CodeTransactionTooLarge   = 2101 // over 10,000,000 bytes
	CodeKeyTooLarge           = 2102 // over 10,000 bytes
	CodeValueTooLarge         = 2103 // over 100,000 bytes
)

// class describes a code: its text and FoundationDB's predicates.
type class struct {
	text           string
	retryable      bool // fdb_error_predicate RETRYABLE
	maybeCommitted bool // fdb_error_predicate MAYBE_COMMITTED
	onErrorRetries bool // whether on_error of a fresh transaction retries
}

// classes has an entry for every code above. A test compares the predicates with a
// table recorded from FoundationDB 7.3.79.
var classes = map[int]class{
	CodeTransactionTooOld:     {"transaction is too old to perform reads or be committed", true, false, true},
	CodeFutureVersion:         {"request for a future version", true, false, true},
	CodeNotCommitted:          {"transaction not committed due to a conflict with another transaction", true, false, true},
	CodeCommitUnknownResult:   {"transaction may or may not have committed", true, true, true},
	CodeTransactionCancelled:  {"operation aborted because the transaction was cancelled", false, false, false},
	CodeWatchCancelled:        {"watch cancelled", false, false, false},
	CodeTransactionTimedOut:   {"operation aborted because the transaction timed out", false, false, false},
	CodeTooManyWatches:        {"too many watches are set", false, false, false},
	CodeAccessedUnreadable:    {"read of a key or value that the commit determines", false, false, false},
	CodeProcessBehind:         {"storage process does not have recent mutations", true, false, true},
	CodeDatabaseLocked:        {"database is locked", true, false, true},
	CodeClusterVersionChanged: {"the protocol version of the cluster has changed", true, true, false},
	CodeCommitProxyMemory:     {"commit proxy is out of memory", true, false, true},
	CodeBatchThrottled:        {"batch transaction is throttled", true, false, true},
	CodeGRVProxyMemory:        {"read-version proxy is out of memory", true, false, true},
	CodeBlobGranuleFailed:     {"blob granule request failed", false, false, true},
	CodeTagThrottled:          {"transaction tag is throttled", true, false, true},
	CodeProxyTagThrottled:     {"transaction tag is throttled at the proxy", true, false, true},
	CodeIOError:               {"disk operation failed", false, false, false},
	CodeInvalidOperation:      {"invalid operation", false, false, false},
	CodeKeyOutsideLegalRange:  {"key outside the legal range", false, false, false},
	CodeInvertedRange:         {"range begins after its end", false, false, false},
	CodeUsedDuringCommit:      {"operation issued while a commit was outstanding", false, false, false},
	CodeInvalidVersion:        {"transaction has no version because it did not commit", false, false, false},
	CodeNoCommitVersion:       {"transaction was read-only and has no commit version", false, false, false},
	CodeTransactionTooLarge:   {"transaction exceeds the byte limit", false, false, false},
	CodeKeyTooLarge:           {"key length exceeds the limit", false, false, false},
	CodeValueTooLarge:         {"value length exceeds the limit", false, false, false},
}
