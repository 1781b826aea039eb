// Package spec reads what follows "fdb:" in the --store flag of fdbelect. It needs neither
// cgo nor FoundationDB's client, so its tests run everywhere.
package spec

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Spec names a FoundationDB database.
type Spec struct {
	ClusterFile string // empty: the default one of the machine
	Tenant      string // empty: none
	Tag         string // of the transactions; empty: none
}

// Parse parses CLUSTERFILE[?tenant=NAME&tag=TAG]. Its errors are of type *Error.
func Parse(text string) (Spec, error) {
	clusterFile, query, _ := strings.Cut(text, "?")
	s := Spec{ClusterFile: clusterFile}
	values, err := url.ParseQuery(query)
	if err != nil {
		return Spec{}, &Error{text, err}
	}
	for name, value := range values {
		switch {
		case len(value) > 1:
			return Spec{}, &Error{text, fmt.Errorf("%q is given twice", name)}
		case name == "tenant":
			s.Tenant = value[0]
		case name == "tag":
			s.Tag = value[0]
		default:
			return Spec{}, &Error{text, fmt.Errorf("there is no %q; tenant and tag are known", name)}
		}
	}
	return s, nil
}

// Error says that a spec is wrong: no retry and no other state of the database can make it
// right, except for a missing tenant, which can be created.
type Error struct {
	Spec string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("fdb:%s: %v", e.Spec, e.Err) }
func (e *Error) Unwrap() error { return e.Err }

// Wrong reports whether an error says that a spec is wrong.
func Wrong(err error) bool {
	_, ok := errors.AsType[*Error](err)
	return ok
}

// NoTenant says that the cluster does not have the tenant that a spec names.
func NoTenant(text string, err error) error {
	return &Error{text, fmt.Errorf("the cluster has no such tenant: %w", err)}
}
