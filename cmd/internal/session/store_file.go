package session

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

// openFile opens a store file.
func openFile(path string, mustExist bool, timeout time.Duration) (Database, error) {
	db, err := filekv.Open(path, filekv.Options{MustExist: mustExist, OpenTimeout: timeout})
	if err != nil {
		return Database{}, exit.Unreachable(err)
	}
	return Database{db, db}, nil
}

// permanentFileError reports errors of a store file that no retry can fix.
func permanentFileError(err error) bool {
	for _, target := range []error{
		filekv.ErrNotAStore, filekv.ErrNewerFormat, filekv.ErrDamaged, filekv.ErrReplaced, filekv.ErrUnsupported,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
