package fdbkv

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
)

// Priority is the priority of a transaction if the database is busy.
type Priority int

const (
	// PriorityDefault is FoundationDB's default.
	PriorityDefault Priority = iota
	// PriorityBatch is lower. Such transactions are throttled first and can stop
	// entirely. Do not use it for the renewals of a leader.
	PriorityBatch
	// PrioritySystemImmediate is higher and is not throttled. FoundationDB itself uses
	// it for recovery. It is harmless for the renewals of a few elections, but not for
	// application traffic.
	PrioritySystemImmediate
)

// Options are the options of the transactions of a Database. Zero values mean the
// defaults of FoundationDB, or those that were set with Options of fdb.Database.
type Options struct {
	// Timeout ends a transaction with code 1031. It counts from the creation of the
	// transaction and includes retries. It is rounded up to milliseconds. Zero means no
	// timeout.
	Timeout time.Duration
	// RetryLimit is the maximum number of retries of Transact and OnError. Zero means
	// no limit. A negative value means no retries.
	RetryLimit int
	// MaxRetryDelay limits the delay between retries. Zero means FoundationDB's
	// default, 1 s.
	MaxRetryDelay time.Duration
	// Priority is the priority of every attempt.
	Priority Priority
	// Tag is the throttling tag of every attempt, with at most 16 bytes. Empty means no
	// tag.
	Tag string
	// SizeLimit is the maximum size of a commit in bytes, from 32 to 10,000,000. Zero
	// means 10,000,000.
	SizeLimit int
	// Configure sets other options of the binding. It is called for every attempt,
	// after the options above. It must not set the options that the package
	// documentation excludes.
	Configure func(fdb.TransactionOptions) error
}

// maxTagLength is FoundationDB's limit.
const maxTagLength = 16

// Validate returns all faults of the options as one joined error, or nil.
func (o Options) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("fdbkv: Options."+format, args...))
	}
	if o.Timeout < 0 {
		fault("Timeout is %v; it must not be negative (zero means no timeout)", o.Timeout)
	}
	if o.RetryLimit > math.MaxInt32 {
		fault("RetryLimit is %d; it must be at most %d (zero means no limit)", o.RetryLimit, math.MaxInt32)
	}
	if o.MaxRetryDelay < 0 {
		fault("MaxRetryDelay is %v; it must not be negative (zero means 1s)", o.MaxRetryDelay)
	}
	if o.Priority < PriorityDefault || o.Priority > PrioritySystemImmediate {
		fault("Priority is %d, which does not exist", o.Priority)
	}
	if len(o.Tag) > maxTagLength {
		fault("Tag has %d bytes; it must have at most %d", len(o.Tag), maxTagLength)
	}
	if o.SizeLimit != 0 && (o.SizeLimit < 32 || o.SizeLimit > 10_000_000) {
		fault("SizeLimit is %d; it must be from 32 to 10000000, or zero for 10000000", o.SizeLimit)
	}
	return errors.Join(faults...)
}

// limits sets the options that FoundationDB keeps for all attempts of a transaction.
func (o *Options) limits(to fdb.TransactionOptions) error {
	var set setter
	if o.Timeout > 0 {
		set.do(to.SetTimeout(milliseconds(o.Timeout)))
	}
	switch {
	case o.RetryLimit > 0:
		set.do(to.SetRetryLimit(int64(o.RetryLimit)))
	case o.RetryLimit < 0:
		set.do(to.SetRetryLimit(0))
	}
	if o.MaxRetryDelay > 0 {
		set.do(to.SetMaxRetryDelay(milliseconds(o.MaxRetryDelay)))
	}
	return set.err
}

// attempt sets the options that FoundationDB resets with every retry.
func (o *Options) attempt(to fdb.TransactionOptions) error {
	var set setter
	switch o.Priority {
	case PriorityDefault: // already set
	case PriorityBatch:
		set.do(to.SetPriorityBatch())
	case PrioritySystemImmediate:
		set.do(to.SetPrioritySystemImmediate())
	}
	if o.Tag != "" {
		set.do(to.SetTag(o.Tag))
	}
	if o.SizeLimit != 0 {
		set.do(to.SetSizeLimit(int64(o.SizeLimit)))
	}
	if o.Configure != nil {
		set.do(o.Configure(to))
	}
	return set.err
}

// setter keeps the first error of several options.
type setter struct{ err error }

func (s *setter) do(err error) {
	if err != nil && s.err == nil {
		s.err = convert(err)
	}
}
