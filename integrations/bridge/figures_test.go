package bridge_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/longtest"
)

// An old fleet holds its lock for a long time. These are the times until the new fleet works after the
// last old process has released it. docs/migration.md has them.
func TestTimeUntilTheNewFleetWorks(t *testing.T) {
	for _, test := range []struct {
		processes int
		limit     time.Duration // zero: the default of 32 leases
		least     time.Duration // the longest time must be between these
		most      time.Duration
	}{
		{1, lease, 10 * lease, 33 * lease},
		{3, lease, 3 * lease, 33 * lease},
		{1, 0, 0, lease + time.Second},
		{3, 0, 0, time.Second / 10},
	} {
		t.Run(fmt.Sprintf("%d processes, limit %s", test.processes, test.limit), func(t *testing.T) {
			inWorld(t, func(w *world) {
				<-w.lock.free
				begun, proceed := make(chan time.Time), make(chan struct{})
				var all []*process
				for n := range test.processes {
					p := w.process(fmt.Sprintf("new-%d", n))
					p.gate.Limit = test.limit
					w.run(w.Context(), p, func(ctx context.Context, _ *elector.Leadership) error {
						select {
						case begun <- time.Now():
							<-proceed
							return nil
						case <-ctx.Done():
							return ctx.Err()
						}
					})
					all = append(all, p)
				}
				var took []time.Duration
				for n := range longtest.Pick(12, 200) {
					time.Sleep(20*time.Minute + time.Duration(n)*7300*time.Millisecond)
					freed := time.Now()
					w.lock.free <- struct{}{}
					took = append(took, (<-begun).Sub(freed))
					proceed <- struct{}{}
					<-w.lock.free // an old process has it again
				}
				slices.Sort(took)
				t.Logf("median %s, longest %s", took[len(took)/2], took[len(took)-1])
				require.GreaterOrEqual(w, took[len(took)-1], test.least)
				require.LessOrEqual(w, took[len(took)-1], test.most)
				for _, p := range all {
					require.NoError(w, w.stop(p))
				}
				w.events()
			})
		})
	}
}
