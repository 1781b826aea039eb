package filekv

import "context"

// lockMode says what a process means to do with the store.
type lockMode int

const (
	shared    lockMode = iota // read, beside other readers
	exclusive                 // write, alone
)

// hostLock orders the processes of one machine. It is there so that waiting is
// fair, quick and cancellable; what keeps the data whole is bbolt's own lock
// on the store, which is taken inside of this one and then is free at once.
//
// The kernel releases a lock when its process dies, however that happens. One
// goroutine at a time uses a hostLock.
type hostLock interface {
	// acquire waits for the lock. The error is ctx's, ErrClosed where stop was
	// closed, or the file system's.
	acquire(ctx context.Context, stop <-chan struct{}, mode lockMode) error
	// release gives the lock back.
	release()
	// close releases everything.
	close() error
}
