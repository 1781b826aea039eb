package filekv

import "context"

// lockMode is the mode of a lock on the store.
type lockMode int

const (
	shared    lockMode = iota // for readers
	exclusive                 // for a writer
)

// hostLock is a lock between the processes of one machine. It makes waiting fair,
// quick and cancellable. bbolt's own lock on the store protects the data. A process
// takes bbolt's lock only while it holds the hostLock. That lock is then free.
//
// The kernel releases a lock when its process dies. Only one goroutine at a time may
// use a hostLock.
type hostLock interface {
	// acquire waits for the lock. The error is that of ctx, ErrClosed if stop is
	// closed, or an error of the file system.
	acquire(ctx context.Context, stop <-chan struct{}, mode lockMode) error
	release()
	// close releases the lock and closes the lock file.
	close() error
}
