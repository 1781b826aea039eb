package filekv

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// queue is a fair lock between processes (a ticket lock). It uses open file
// description locks on bytes of an empty file:
//
//   - Byte 0 is the lock itself. The process that has locked it, shared or
//     exclusively, may use the store.
//   - Every other byte is a ticket. A process that wants the lock draws a ticket,
//     whose number is the time on a clock that all processes of the machine share,
//     and locks the byte with that number. It tries to lock byte 0 if no lower byte
//     is locked, which means that no other process has waited longer.
//
// Nothing has to be repaired after a crash, because the kernel releases the locks of a
// process that dies. If two processes draw tickets almost at the same time, their
// order may change. Byte 0 still excludes them from each other.
//
// A process that was stopped while it waited would block all processes behind it.
// Therefore, a ticket that is next but does not lock byte 0, although byte 0 is free,
// is skipped after a while.
type queue struct {
	file *lockFile
	// stuck holds the tickets that are skipped.
	stuck map[int64]struct{}
}

const (
	lockByte    = 0
	firstTicket = 1

	// stuckAfter is how long a ticket may be next without locking byte 0.
	stuckAfter = 100 * time.Millisecond
	// countLimit is the limit for counting the tickets ahead.
	countLimit = 6
	// nextDelay is the time between two attempts of the next ticket. aheadDelay is added
	// for each ticket ahead. longestDelay limits the sum.
	nextDelay    = 60 * time.Microsecond
	aheadDelay   = 200 * time.Microsecond
	longestDelay = 4 * time.Millisecond
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
		// The next ticket may belong to another reader.
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

// draw takes a ticket at the end of the queue.
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

// wait waits until the ticket is next and byte 0 is locked.
func (q *queue) wait(ctx context.Context, stop <-chan struct{}, ticket int64, mode lockMode) error {
	kind := int16(unix.F_RDLCK)
	if mode == exclusive {
		kind = unix.F_WRLCK
	}
	p := position{ahead: -1}
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
		} else if err := q.skipIfStuck(&p, next); err != nil {
			return err
		}
		if err := waitError(ctx, stop); err != nil {
			return err
		}
		if err := shortSleep(ctx, stop, p.delay(ahead)); err != nil {
			return err
		}
	}
}

// ahead counts the tickets from one number (inclusive) to another (exclusive), up to a
// limit. It also returns the lowest one, which is next. It ignores stuck tickets.
func (q *queue) ahead(from, to int64, limit int) (n int, next int64, err error) {
	if from >= to || limit <= 0 {
		return 0, 0, nil
	}
	start, length, err := q.blocker(from, to-from)
	if err != nil || length == 0 {
		return 0, 0, err
	}
	// The kernel returns one of them, not always the lowest.
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

// skipIfStuck marks a ticket as stuck if it has been next for stuckAfter and byte 0 was
// free at every check.
func (q *queue) skipIfStuck(p *position, next int64) error {
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

// forgetStuck forgets stuck tickets that do not exist any more.
func (q *queue) forgetStuck() {
	for ticket := range q.stuck {
		if _, length, err := q.blocker(ticket, 1); err == nil && length == 0 {
			delete(q.stuck, ticket)
		}
	}
}

// release implements hostLock. It releases the lock and the ticket.
func (q *queue) release() { _ = q.set(unix.F_UNLCK, 0, 0) }

func (q *queue) close() error { return q.file.close() }

// set locks or unlocks bytes, without waiting. A length of 0 means all bytes from
// start.
func (q *queue) set(kind int16, start, length int64) error {
	for {
		lk := unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: start, Len: length}
		err := unix.FcntlFlock(q.file.fd(), unix.F_OFD_SETLK, &lk)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// blocker returns bytes of the range that another process has locked. A length of 0
// means that there are none.
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

// taken reports whether another process has the lock.
func taken(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES)
}

// position is what a waiting process has seen of the queue.
type position struct {
	ahead      int   // number of tickets ahead
	aheadSince int64 // when that number last changed
	next       int64 // the next ticket
	nextSince  int64 // since when it has been next with byte 0 free
}

// delay returns how long to wait before the next check. It grows with the number of
// tickets ahead and with the time since that number last changed.
func (p *position) delay(ahead int) time.Duration {
	now := int64(clock.Monotonic())
	if ahead != p.ahead {
		p.ahead, p.aheadSince = ahead, now
	}
	d := nextDelay + time.Duration(ahead)*aheadDelay
	return min(max(d, time.Duration(now-p.aheadSince)/16), longestDelay)
}

// shortSleep is like pause, but more precise for short times. In an idle process, the
// timers of the Go runtime have a precision of a millisecond, and those of the kernel
// of some microseconds.
func shortSleep(ctx context.Context, stop <-chan struct{}, d time.Duration) error {
	if d >= 2*time.Millisecond {
		return pause(ctx, stop, d)
	}
	ts := unix.NsecToTimespec(int64(d))
	_ = unix.Nanosleep(&ts, nil)
	return nil
}
