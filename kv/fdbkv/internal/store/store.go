// Package store opens FoundationDB for the command fdbelect: what follows "fdb:"
// in its --store flag.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// Open opens the store that spec names and makes sure within the timeout that it
// answers; zero means ten seconds. spec is
//
//	CLUSTERFILE[?tenant=NAME&tag=TAG]
//
// and an empty cluster file is the default one of the machine. The caller closes
// the result.
func Open(ctx context.Context, spec string, timeout time.Duration) (*fdbkv.Database, error) {
	clusterFile, opts, tenant, err := parse(spec)
	if err != nil {
		return nil, err
	}
	db, err := fdbkv.Open(clusterFile, opts)
	if err != nil {
		return nil, err
	}
	use := db
	if tenant != "" {
		if use, err = db.Tenant([]byte(tenant)); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	if timeout <= 0 {
		timeout = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout) //nolint:forbidigo // the client waits on the real clock
	defer cancel()
	if err := use.Ping(ctx); err != nil {
		return nil, errors.Join(explain(clusterFile, tenant, timeout, err), db.Close())
	}
	return use, nil
}

// parse takes a spec apart.
func parse(spec string) (clusterFile string, opts fdbkv.Options, tenant string, err error) {
	clusterFile, query, _ := strings.Cut(spec, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", opts, "", fmt.Errorf("fdb:%s: %w", spec, err)
	}
	for name, value := range values {
		switch {
		case len(value) > 1:
			return "", opts, "", fmt.Errorf("fdb:%s: %s is given twice", spec, name)
		case name == "tenant":
			tenant = value[0]
		case name == "tag":
			opts.Tag = value[0]
		default:
			return "", opts, "", fmt.Errorf("fdb:%s: there is no %q; tenant and tag are known", spec, name)
		}
	}
	return clusterFile, opts, tenant, opts.Validate()
}

// tenantNotFound is FoundationDB's tenant_not_found.
const tenantNotFound = 2131

// explain says what a failed Ping means.
func explain(clusterFile, tenant string, timeout time.Duration, err error) error {
	if clusterFile == "" {
		clusterFile = "the default cluster file"
	}
	switch {
	case kv.CodeOf(err) == tenantNotFound:
		return fmt.Errorf("the cluster of %s has no tenant %q: %w", clusterFile, tenant, err)
	case errors.Is(err, context.DeadlineExceeded):
		return noAnswerError{fmt.Sprintf("the cluster of %s did not answer within %v: see whether it is running, and whether its addresses fit this network", clusterFile, timeout), err}
	default:
		return fmt.Errorf("the cluster of %s cannot be used: %w", clusterFile, err)
	}
}

// noAnswerError says that the time for opening has passed, and matches err, whose
// text would only repeat it.
type noAnswerError struct {
	text string
	err  error
}

func (e noAnswerError) Error() string { return e.text }
func (e noAnswerError) Unwrap() error { return e.err }

// Permanent reports errors that no retry can mend.
func Permanent(err error) bool {
	const connectionStringInvalid = 2104
	switch kv.CodeOf(err) {
	case tenantNotFound, connectionStringInvalid:
		return true
	default:
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fdbkv.ErrClosed)
	}
}
