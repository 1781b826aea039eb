package elector_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// The figures of these tests are counted, or measured in virtual time, so they are the same
// on every machine.

// virtual is the clock of a synctest bubble.
type virtual struct{}

func (virtual) Now() time.Time                                    { return time.Now() }
func (virtual) Wall() time.Time                                   { return time.Now() }
func (virtual) AfterFunc(d time.Duration, f func()) elector.Timer { return time.AfterFunc(d, f) }

// crowd is a database with many electors in one election.
type crowd struct {
	t        *testing.T
	db       *memkv.DB
	space    subspace.Subspace
	election *election.LeaderElection
	electors []*elector.Elector
	wrap     func(kv.Database) kv.Database // nil: the database is not wrapped

	headStart time.Duration // as in the options
	random    io.Reader     // nil: crypto/rand
}

func newCrowd(t *testing.T, opts memkv.Options) *crowd {
	space := subspace.New("figures")
	return &crowd{t: t, db: memkv.New(opts), space: space, election: election.New(space)}
}

// enter starts n more electors at intervals.
func (f *crowd) enter(n int, interval time.Duration, config fdbelection.Config, callbacks elector.Callbacks) {
	f.t.Helper()
	for range n {
		id := fmt.Sprintf("n%03d", len(f.electors))
		db := kv.Database(f.db.NewClient(id, memkv.ClientOptions{}))
		if f.wrap != nil {
			db = f.wrap(db)
		}
		el, err := elector.New(db, f.election, elector.Options{
			NodeID: id, Config: config, Clock: virtual{}, Callbacks: callbacks, HeadStart: f.headStart, Random: f.random,
		})
		require.NoError(f.t, err)
		require.NoError(f.t, el.Start(f.t.Context()))
		f.electors = append(f.electors, el)
		time.Sleep(interval)
	}
	synctest.Wait()
}

// leave stops all electors, the followers first.
func (f *crowd) leave() {
	f.t.Helper()
	for i := range f.electors {
		require.NoError(f.t, f.electors[len(f.electors)-1-i].Stop(f.t.Context()))
	}
}

func (f *crowd) leader() election.LeaderRecord {
	f.t.Helper()
	leader, err := kv.ReadTransact(f.t.Context(), f.db, f.election.GetLeaderRaw)
	require.NoError(f.t, err)
	return leader
}

// inRank returns the electors: first the leader, and then the others in the order of their
// rank.
func (f *crowd) inRank() []*elector.Elector {
	leader := f.leader().ID
	byID := make(map[string]*elector.Elector)
	for _, el := range f.electors {
		byID[el.NodeID()] = el
	}
	ranked := []*elector.Elector{byID[leader]}
	for _, voter := range f.electors[0].ClusterState().Voters {
		if voter.ID != leader {
			ranked = append(ranked, byID[voter.ID])
		}
	}
	return ranked
}

// One leader and 20 followers run for 10 heartbeats. The leader commits once per heartbeat,
// the others write their records with every second read, nothing conflicts, and no process reads
// more than three times in two heartbeats.
func TestSteadyState(t *testing.T) {
	inVirtualTime(t, func(t *testing.T) {
		const followers, heartbeats = 20, 10
		config := eager(fdbelection.DefaultConfig())
		f := newCrowd(t, memkv.Options{KeepLog: true})
		f.enter(1+followers, 10*time.Millisecond, config, elector.Callbacks{})
		time.Sleep(2 * config.HeartbeatInterval) // until all poll in phase
		synctest.Wait()

		logged, before, goroutines := len(f.db.CommitLog()), f.db.Counters(), runtime.NumGoroutine()
		time.Sleep(heartbeats * config.HeartbeatInterval)
		synctest.Wait()
		counted := f.db.Counters().Sub(before)
		// The runtime may start one of its own. A leak would be one per heartbeat.
		require.LessOrEqual(t, runtime.NumGoroutine(), goroutines+heartbeats/2, "the number of goroutines grows")

		renewals, refreshes := 0, 0
		leaderKey, candidates := f.space.Sub("leader").Bytes(), f.space.Sub("candidates")
		for _, commit := range f.db.CommitLog()[logged:] {
			if len(commit.Mutations) == 0 {
				continue
			}
			own := true
			for _, mutation := range commit.Mutations {
				switch key := mutation.Key; {
				case bytes.Equal(key, leaderKey):
					renewals++
					require.Equal(t, "n000", commit.Client)
					own = false
				default:
					require.True(t, candidates.Contains(key), "key %q", key)
				}
			}
			if own {
				refreshes++
				require.Len(t, commit.Mutations, 1)
			}
		}
		t.Logf("renewals %d, refreshes %d, conflicts %d, transactions %d, read waves %d: %.2f per follower and heartbeat",
			renewals, refreshes, counted.Conflicts, counted.Transactions, counted.ReadWaves,
			float64(counted.ReadWaves)/float64(followers*heartbeats))
		require.Equal(t, heartbeats, renewals)
		require.InDelta(t, followers*heartbeats/2, refreshes, followers)
		require.Zero(t, counted.Conflicts)
		require.EqualValues(t, renewals+refreshes, counted.Commits)
		require.LessOrEqual(t, counted.ReadWaves, int64(3*(followers+1)*heartbeats/2))
		f.leave()
	})
}

// A leader crashes at any phase of its heartbeat. The successor leads within the lease, a
// tenth of the heartbeat and 5 ms after the last renewal.
func TestTakeOverAfterACrash(t *testing.T) {
	config := eager(fdbelection.DefaultConfig())
	var worst time.Duration
	phases := longtest.Pick(10, 50)
	for phase := range phases {
		inVirtualTime(t, func(t *testing.T) {
			elected := make(chan time.Time, 8)
			f := newCrowd(t, latency(time.Millisecond))
			f.enter(3, 7*time.Millisecond+time.Duration(phase)*config.HeartbeatInterval/37, config, elector.Callbacks{
				OnElected: func(context.Context, elector.Transition) { elected <- time.Now() },
			})
			<-elected
			time.Sleep(3*config.HeartbeatInterval + time.Duration(phase)*config.HeartbeatInterval/time.Duration(phases))
			synctest.Wait()
			f.electors[0].Abandon()
			renewed := f.leader().LeaseExpiry.Add(-config.LeaseDuration)
			took := (<-elected).Sub(renewed)
			worst = max(worst, took)
			require.LessOrEqual(t, took, config.LeaseDuration+config.HeartbeatInterval/10+5*time.Millisecond, "phase %d", phase)
			require.GreaterOrEqual(t, took, config.LeaseDuration)
			f.leave()
		})
	}
	t.Logf("longest: the lease and %s, with a heartbeat of %s", worst-config.LeaseDuration, config.HeartbeatInterval)
}

// latency returns options of a store in which every call takes d.
func latency(d time.Duration) memkv.Options {
	return memkv.Options{Hooks: &memkv.Hooks{Before: func(ctx context.Context, _ *memkv.Call) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}}
}

// The leader of 100 candidates (40 in a quick run) leaves or crashes, alone or with the next
// candidates by rank. At most 3 attempts to claim are in flight at once.
func TestFewClaimsAtAVacancy(t *testing.T) {
	candidates := longtest.Pick(40, 100)
	for _, c := range []struct {
		name string
		end  func(t *testing.T, inRank []*elector.Elector)
	}{
		{"leaves", func(t *testing.T, inRank []*elector.Elector) { require.NoError(t, inRank[0].Stop(t.Context())) }},
		{"dies", func(_ *testing.T, inRank []*elector.Elector) { inRank[0].Abandon() }},
		{"dies with the next ten", func(_ *testing.T, inRank []*elector.Elector) {
			for _, el := range inRank[:11] {
				el.Abandon()
			}
		}},
		{"leaves when the next ten have died", func(t *testing.T, inRank []*elector.Elector) {
			for _, el := range inRank[1:11] {
				el.Abandon()
			}
			require.NoError(t, inRank[0].Stop(t.Context()))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inVirtualTime(t, func(t *testing.T) {
				var mu sync.Mutex
				inFlight, most, attempts := 0, 0, 0
				leaderKey := subspace.New("figures", "leader").Bytes()
				opts := latency(20 * time.Millisecond)
				before := opts.Hooks.Before
				opts.Hooks.Before = func(ctx context.Context, call *memkv.Call) error {
					claims := call.Kind == memkv.CallCommit && writes(call.Commit, leaderKey)
					if claims {
						mu.Lock()
						attempts++
						inFlight++
						most = max(most, inFlight)
						mu.Unlock()
						defer func() {
							mu.Lock()
							defer mu.Unlock()
							inFlight--
						}()
					}
					return before(ctx, call)
				}
				f := newCrowd(t, opts)
				config := eager(fdbelection.DefaultConfig())
				f.enter(candidates, time.Duration(3)*time.Millisecond, config, elector.Callbacks{})
				time.Sleep(2 * config.CandidateTimeout)
				synctest.Wait()
				term := f.leader().Term

				mu.Lock()
				most, attempts = 0, 0
				mu.Unlock()
				begin := time.Now()
				c.end(t, f.inRank())
				for f.leader().Term == term || f.leader().Vacant() {
					time.Sleep(time.Millisecond)
				}
				mu.Lock()
				t.Logf("%s leads after %s; at most %d attempts in flight, %d in all", f.leader(), time.Since(begin), most, attempts)
				require.LessOrEqual(t, most, 3)
				mu.Unlock()
				require.Equal(t, term+1, f.leader().Term)
				f.leave()
			})
		})
	}
}

// writes reports whether a commit writes a key.
func writes(commit *memkv.Commit, key []byte) bool {
	for _, mutation := range commit.Mutations {
		if bytes.Equal(mutation.Key, key) {
			return true
		}
	}
	return false
}
