package filekv

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// queue is a fair lock between processes, made of open file description locks
// on ranges of an empty file:
//
//   - Byte 0 is the lock itself. Whoever has it locked, shared or exclusively,
//     may use the store.
//   - Every other byte is a place in the queue. A process that wants the lock
//     draws a ticket, which is the time on the clock that all processes of the
//     machine share, and locks the byte of that number. It may try byte 0 when
//     no lower byte is locked, that is when nobody waits longer than it does.
//
// There is nothing to repair after a crash: the kernel takes away the locks of
// a process that dies, and the queue closes the gap. Two that draw almost at
// once may change places; byte 0 keeps them apart all the same.
//
// A process that was stopped while it waited would hold up all behind it. So
// a ticket that does not use its turn, although byte 0 is free, is passed over
// after a while.
type queue struct {
	file *lockFile
	// stuck are tickets that do not use their turn.
	stuck map[int64]struct{}
}

const (
	lockByte    = 0
	firstTicket = 1

	// stuckAfter is how long a ticket may leave its turn unused.
	stuckAfter = 100 * time.Millisecond
	// countLimit is up to what number those ahead are counted.
	countLimit = 6
	// headNap is the time between two tries of whoever is next, and placeNap
	// what is added for each one ahead; longestNap bounds both.
	headNap    = 60 * time.Microsecond
	placeNap   = 200 * time.Microsecond
	longestNap = 4 * time.Millisecond
)

// acquire implements hostLock.
func (q *queue) acquire(ctx context.Context, stop <-chan struct{}, mode lockMode) error {
	if err := q.file.refresh(); err != nil {
		return err
	}
	q.forgetStuck()
	ticket, err := q.draw()
	if err == nil {
		err = q.wait(ctx, stop, ticket, mode)
	}
	if err == nil && mode == shared {
		// The next in the queue may read beside us.
		err = q.set(unix.F_UNLCK, ticket, 1)
	}
	if err == nil {
		return nil
	}
	q.release()
	if _, ok := errors.AsType[unix.Errno](err); ok {
		return &StoreError{Path: q.file.path, Problem: "cannot lock", Err: err}
	}
	return err
}

// draw takes a place at the end of the queue.
func (q *queue) draw() (ticket int64, err error) {
	for ticket = max(int64(clock.Monotonic()), firstTicket); ; ticket++ {
		switch err := q.set(unix.F_WRLCK, ticket, 1); {
		case err == nil:
			return ticket, nil
		case !taken(err):
			return 0, err
		}
	}
}

// wait waits for the ticket's turn, and for the lock.
func (q *queue) wait(ctx context.Context, stop <-chan struct{}, ticket int64, mode lockMode) error {
	kind := int16(unix.F_RDLCK)
	if mode == exclusive {
		kind = unix.F_WRLCK
	}
	p := place{ahead: -1}
	for {
		ahead, next, err := q.ahead(firstTicket, ticket, countLimit)
		if err != nil {
			return err
		}
		if ahead == 0 {
			err := q.set(kind, lockByte, 1)
			if !taken(err) {
				return err
			}
		} else if err := q.passOver(&p, next); err != nil {
			return err
		}
		if err := ended(ctx, stop); err != nil {
			return err
		}
		if err := nap(ctx, stop, p.nap(ahead)); err != nil {
			return err
		}
	}
}

// ahead counts the tickets from one number (inclusive) to another (exclusive),
// up to a limit, and returns the lowest one, which is next. Stuck ones do not
// count.
func (q *queue) ahead(from, to int64, limit int) (n int, next int64, err error) {
	if from >= to || limit <= 0 {
		return 0, 0, nil
	}
	start, length, err := q.blocker(from, to-from)
	if err != nil || length == 0 {
		return 0, 0, err
	}
	// The kernel names one of them, not always the lowest.
	below, next, err := q.ahead(from, start, limit)
	if err != nil {
		return 0, 0, err
	}
	n = below
	if _, stuck := q.stuck[start]; !stuck {
		if n == 0 {
			next = start
		}
		n++
	}
	above, first, err := q.ahead(start+length, to, limit-n)
	if n == 0 {
		next = first
	}
	return n + above, next, err
}

// passOver notes that a ticket is stuck where it has been next for long and
// the lock was free whenever we looked.
func (q *queue) passOver(p *place, next int64) error {
	_, held, err := q.blocker(lockByte, 1)
	if err != nil {
		return err
	}
	now := int64(clock.Monotonic())
	if held != 0 || next != p.next {
		p.next, p.nextSince = next, now
		return nil
	}
	if now-p.nextSince < int64(stuckAfter) {
		return nil
	}
	if q.stuck == nil {
		q.stuck = make(map[int64]struct{})
	}
	q.stuck[next] = struct{}{}
	return nil
}

// forgetStuck drops the stuck tickets that are gone.
func (q *queue) forgetStuck() {
	for ticket := range q.stuck {
		if _, length, err := q.blocker(ticket, 1); err == nil && length == 0 {
			delete(q.stuck, ticket)
		}
	}
}

// release implements hostLock: it gives back the lock and the ticket.
func (q *queue) release() { _ = q.set(unix.F_UNLCK, 0, 0) }

func (q *queue) close() error { return q.file.close() }

// set locks or unlocks bytes, without waiting. A length of 0 means up to the
// end of all.
func (q *queue) set(kind int16, start, length int64) error {
	for {
		lk := unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: start, Len: length}
		err := unix.FcntlFlock(q.file.fd(), unix.F_OFD_SETLK, &lk)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// blocker returns bytes of the range that somebody else has locked; a length
// of 0 means that there are none.
func (q *queue) blocker(start, length int64) (at, n int64, err error) {
	lk := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: start, Len: length}
	if err := unix.FcntlFlock(q.file.fd(), unix.F_OFD_GETLK, &lk); err != nil {
		return 0, 0, err
	}
	if lk.Type == unix.F_UNLCK {
		return 0, 0, nil
	}
	at, end := max(lk.Start, start), start+length
	if lk.Len != 0 {
		end = min(end, lk.Start+lk.Len)
	}
	return at, end - at, nil
}

// taken reports whether a lock was refused because somebody else has it.
func taken(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES)
}

// place is what a process has seen of the queue while it waits.
type place struct {
	ahead      int   // how many were ahead when that last changed
	aheadSince int64 // and when that was
	next       int64 // the ticket whose turn it is
	nextSince  int64 // since when it leaves its turn unused
}

// nap returns how long to wait before looking again: the longer, the more are
// ahead, and the longer nothing has moved.
func (p *place) nap(ahead int) time.Duration {
	now := int64(clock.Monotonic())
	if ahead != p.ahead {
		p.ahead, p.aheadSince = ahead, now
	}
	d := headNap + time.Duration(ahead)*placeNap
	return min(max(d, time.Duration(now-p.aheadSince)/16), longestNap)
}

// nap is pause with less delay. The runtime's timers are good to a millisecond
// when a process has nothing else to do, the kernel's to some microseconds.
func nap(ctx context.Context, stop <-chan struct{}, d time.Duration) error {
	if d >= 2*time.Millisecond {
		return pause(ctx, stop, d)
	}
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
	return nil
}
