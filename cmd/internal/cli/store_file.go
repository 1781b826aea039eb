package cli

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection/kv/filekv"
)

// openFile opens a store on a file.
func openFile(path string, mustExist bool, timeout time.Duration) (store, error) {
	db, err := filekv.Open(path, filekv.Options{MustExist: mustExist, OpenTimeout: timeout})
	if err != nil {
		return store{}, &storeError{err}
	}
	return store{db, db}, nil
}

// permanent reports errors of a store that no retry can mend.
func permanent(err error) bool {
	for _, target := range []error{
		filekv.ErrNotAStore, filekv.ErrNewerFormat, filekv.ErrDamaged, filekv.ErrReplaced, filekv.ErrUnsupported,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
