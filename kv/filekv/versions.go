package filekv

import (
	"sort"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

const (
	// window is how many versions back a transaction may read. lifetime is the same as
	// a time, because versions grow by a million per second.
	window   = 5_000_000
	lifetime = 5 * time.Second

	// longestJump limits how much one commit adds to the version, to about thirty
	// years, so that a wrong clock does not use up all versions.
	longestJump = 1e15
)

// advance returns the state after a commit at now. The version grows by the
// microseconds since the last commit, but at least by one. If the clock was set back,
// later commits count from its new time.
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

// readVersions records when this process issued its recent read versions. Without
// commits the newest version does not change, so a read version alone does not tell
// how old its transaction is.
type readVersions struct {
	mu       sync.Mutex
	versions []issuedVersion // both fields are in ascending order
}

type issuedVersion struct {
	version int64
	at      time.Time // when it was last issued
}

// add records that a version is issued now.
func (r *readVersions) add(version int64, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(now)
	i := r.find(version)
	if i < len(r.versions) && r.versions[i].version == version {
		r.versions[i].at = now
		return
	}
	// Goroutines may get here in a different order than they read. Usually, the new
	// version is the last one.
	r.versions = append(r.versions, issuedVersion{})
	copy(r.versions[i+1:], r.versions[i:])
	r.versions[i] = issuedVersion{version, now}
}

// check returns an error if a version was issued too long ago.
func (r *readVersions) check(version int64, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(now)
	if i := r.find(version); i == len(r.versions) || r.versions[i].version != version {
		return kv.Error{Code: kv.CodeTransactionTooOld}
	}
	return nil
}

// drop removes versions that are too old. If the clock was set back, versions that
// seem to come from the future are kept.
func (r *readVersions) drop(now time.Time) {
	n := 0
	for n < len(r.versions) && now.Sub(r.versions[n].at) > lifetime {
		n++
	}
	r.versions = r.versions[n:]
}

func (r *readVersions) find(version int64) int {
	return sort.Search(len(r.versions), func(i int) bool { return r.versions[i].version >= version })
}
