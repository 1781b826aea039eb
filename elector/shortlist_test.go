package elector_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// There are more candidates than a follower lists. The leader and all listed candidates crash
// at once, and in one case the rank index was removed before. Another candidate leads soon
// after the lease. The crashed candidates are evicted, and no other one is.
func TestFailOverOutsideOfTheShortlist(t *testing.T) {
	for name, damage := range map[string]func(tr kv.Transaction, f *crowd){
		"the first candidates crash": nil,
		"without a rank index": func(tr kv.Transaction, f *crowd) {
			tr.ClearRange(f.space.Sub("rank").Range())
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const candidates, dead = 60, 9
				config := eager(fdbelection.DefaultConfig())
				f := newCrowd(t, memkv.Options{})
				f.enter(candidates, 3*time.Millisecond, config, elector.Callbacks{})
				time.Sleep(2 * config.CandidateTimeout)
				if damage != nil {
					require.NoError(t, f.db.Transact(t.Context(), func(tr kv.Transaction) error {
						damage(tr, f)
						return nil
					}))
					time.Sleep(config.CandidateTimeout)
				}
				before := f.db.Counters()
				begin := time.Now()
				for _, el := range f.electors[:dead] {
					el.Abandon()
				}
				for f.leader().Term == 1 {
					time.Sleep(time.Millisecond)
				}
				t.Logf("%s leads after %s, with %d conflicts", f.leader(), time.Since(begin), f.db.Counters().Sub(before).Conflicts)
				require.Less(t, time.Since(begin), config.LeaseDuration+config.HeartbeatInterval)
				time.Sleep(2*config.CandidateTimeout + config.HeartbeatInterval)
				listed, err := kv.ReadTransact(t.Context(), f.db, f.election.ListCandidates)
				require.NoError(t, err)
				require.Len(t, listed, candidates-dead)
				f.electors = f.electors[dead:]
				f.leave()
			})
		})
	}
}
