// Package store opens FoundationDB for the command fdbelect: the part of --store after
// "fdb:".
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/fdbelection/fdbelection/cmd/fdbelect-fdb/internal/spec"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// Open opens the store that text names, and checks within the timeout that it answers.
// Zero means ten seconds. text is
//
//	CLUSTERFILE[?tenant=NAME&tag=TAG]
//
// An empty cluster file is the default one of the machine. The caller closes the result.
func Open(ctx context.Context, text string, timeout time.Duration) (*fdbkv.Database, error) {
	parsed, err := spec.Parse(text)
	if err != nil {
		return nil, err
	}
	opts := fdbkv.Options{Tag: parsed.Tag}
	if err := opts.Validate(); err != nil {
		return nil, &spec.Error{Spec: text, Err: err}
	}
	db, err := fdbkv.Open(parsed.ClusterFile, opts)
	if err != nil {
		return nil, err
	}
	use := db
	if parsed.Tenant != "" {
		if use, err = db.Tenant([]byte(parsed.Tenant)); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout) //nolint:forbidigo // the client waits on the real clock
	defer cancel()
	if err := use.Ping(ctx); err != nil {
		return nil, errors.Join(explain(text, parsed, timeout, err), db.Close())
	}
	return use, nil
}

// tenantNotFound is FoundationDB's tenant_not_found.
const tenantNotFound = 2131

// explain says what a failed Ping means.
func explain(text string, parsed spec.Spec, timeout time.Duration, err error) error {
	clusterFile := parsed.ClusterFile
	if clusterFile == "" {
		clusterFile = "the default cluster file"
	}
	switch {
	case kv.CodeOf(err) == tenantNotFound:
		return spec.NoTenant(text, err)
	case errors.Is(err, context.DeadlineExceeded):
		return noAnswerError{fmt.Sprintf("the cluster of %s did not answer within %v: check whether it is running, and whether this network can reach its addresses", clusterFile, timeout), err}
	default:
		return fmt.Errorf("the cluster of %s cannot be used: %w", clusterFile, err)
	}
}

// noAnswerError says that the time to open has passed. Its cause is err, whose text would
// only repeat it.
type noAnswerError struct {
	text string
	err  error
}

func (e noAnswerError) Error() string { return e.text }
func (e noAnswerError) Unwrap() error { return e.err }

// Permanent reports errors that no retry can fix.
func Permanent(err error) bool {
	const connectionStringInvalid = 2104
	switch kv.CodeOf(err) {
	case tenantNotFound, connectionStringInvalid:
		return true
	default:
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fdbkv.ErrClosed)
	}
}
