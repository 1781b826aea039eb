package fdbkv

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
)

// Priority is how a transaction stands in line where the database is busy.
type Priority int

const (
	// PriorityDefault is FoundationDB's own.
	PriorityDefault Priority = iota
	// PriorityBatch lets others go first. It is throttled first, up to a stop: not
	// for a leader's renewals.
	PriorityBatch
	// PrioritySystemImmediate goes before all others, and is not throttled. It is
	// FoundationDB's own priority for its recovery: for renewals of a few
	// elections it is harmless, for application traffic it is not.
	PrioritySystemImmediate
)

// Options of the transactions of a Database. The zero value is FoundationDB's
// behaviour, or what was set on the binding's database (Options of fdb.Database).
type Options struct {
	// Timeout ends a transaction with code 1031 when it has passed since its
	// creation, retries included. Zero: none. It is rounded up to milliseconds.
	Timeout time.Duration
	// RetryLimit is how often Transact and OnError retry. Zero: without limit.
	// Negative: never.
	RetryLimit int
	// MaxRetryDelay bounds the wait between retries. Zero: FoundationDB's, 1 s.
	MaxRetryDelay time.Duration
	// Priority of every attempt.
	Priority Priority
	// Tag marks every attempt, so that an operator can throttle what carries it.
	// At most 16 bytes. Empty: none.
	Tag string
	// SizeLimit is the most bytes that a commit may have, from 32 to 10 000 000.
	// Zero: 10 000 000.
	SizeLimit int
	// Configure sets what else the binding offers; it is called for every attempt,
	// after the options above. It must not weaken what the package documentation
	// says an election relies on: read-your-writes above all.
	Configure func(fdb.TransactionOptions) error
}

// maxTagLength is FoundationDB's limit.
const maxTagLength = 16

// Validate returns every fault of the options, joined.
func (o Options) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("fdbkv: Options."+format, args...))
	}
	if o.Timeout < 0 {
		fault("Timeout is negative: %v; zero means none", o.Timeout)
	}
	if o.RetryLimit > math.MaxInt32 {
		fault("RetryLimit is over %d: %d; zero means none", math.MaxInt32, o.RetryLimit)
	}
	if o.MaxRetryDelay < 0 {
		fault("MaxRetryDelay is negative: %v; zero means FoundationDB's 1s", o.MaxRetryDelay)
	}
	if o.Priority < PriorityDefault || o.Priority > PrioritySystemImmediate {
		fault("Priority is unknown: %d", o.Priority)
	}
	if len(o.Tag) > maxTagLength {
		fault("Tag has %d bytes; at most %d are allowed", len(o.Tag), maxTagLength)
	}
	if o.SizeLimit != 0 && (o.SizeLimit < 32 || o.SizeLimit > 10_000_000) {
		fault("SizeLimit is %d; it must be from 32 to 10000000, or zero for 10000000", o.SizeLimit)
	}
	return errors.Join(faults...)
}

// limits sets what lasts across the attempts of a transaction.
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

// attempt sets what FoundationDB forgets with every retry.
func (o *Options) attempt(to fdb.TransactionOptions) error {
	var set setter
	switch o.Priority {
	case PriorityDefault: // is what nothing sets
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
