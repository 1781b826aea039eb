package filekv

import (
	"sort"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

const (
	// window is how many versions back a transaction may read, and lifetime how
	// long that takes: versions grow by a million a second.
	window   = 5_000_000
	lifetime = 5 * time.Second

	// longestJump bounds what one commit adds to the version, about thirty
	// years: a clock that is out of its mind shall not use them all up.
	longestJump = 1e15
)

// advance returns the state after a commit now: the version moves on by the
// microseconds since the last commit, and at least by one. A clock that was set
// back counts from where it is.
func (st state) advance(now time.Time) state {
	micros := now.UnixMicro()
	step := micros - st.micros
	if micros < st.micros {
		step = 0
	}
	st.micros = micros
	st.version += min(max(step, 1), longestJump)
	return st
}

// readVersions knows the read versions that this process gave out lately.
// Without commits the newest version stands still, so it does not tell how old
// a transaction is; this does, as long as the transaction may live.
type readVersions struct {
	mu    sync.Mutex
	given []givenVersion // both fields ascend
}

type givenVersion struct {
	version int64
	at      time.Time // when it was given out last
}

// give notes that a version is given out now.
func (r *readVersions) give(version int64, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(now)
	i := r.find(version)
	if i < len(r.given) && r.given[i].version == version {
		r.given[i].at = now
		return
	}
	// Goroutines may come here in another order than they read: at the end,
	// almost always.
	r.given = append(r.given, givenVersion{})
	copy(r.given[i+1:], r.given[i:])
	r.given[i] = givenVersion{version, now}
}

// check answers a version that was given out too long ago.
func (r *readVersions) check(version int64, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(now)
	if i := r.find(version); i == len(r.given) || r.given[i].version != version {
		return kv.Error{Code: kv.CodeTransactionTooOld}
	}
	return nil
}

// drop forgets what is too old. The clock may have been set back: what then
// seems to come from the future is kept.
func (r *readVersions) drop(now time.Time) {
	n := 0
	for n < len(r.given) && now.Sub(r.given[n].at) > lifetime {
		n++
	}
	r.given = r.given[n:]
}

func (r *readVersions) find(version int64) int {
	return sort.Search(len(r.given), func(i int) bool { return r.given[i].version >= version })
}
