package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
)

// Two processes under one id: history and doctor name both, for a day, and to a watch
// it does not change the tenure.
func TestDuplicateIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := newCompany(t)
		_, leave := world.enter("ash", 0)
		world.pass(time.Second)
		var out, errs bytes.Buffer
		a := &app{program: &program{stdout: &out, stderr: &errs, clock: Virtual{}, random: rand.Reader, stores: []Store{(&weather{Database: world.db}).store()}}}
		ctx, stop := context.WithCancel(t.Context())
		watched := make(chan error)
		go func() { watched <- a.exec(ctx, []string{"watch", "--store", "test:"}) }()
		world.pass(3 * time.Second)

		second, _ := world.enter("ash", 0)
		world.pass(5 * time.Second)
		require.ErrorIs(t, second.Stop(t.Context()), fdbelection.ErrDuplicateID)

		stdout, _, err := execOn(t.Context(), Virtual{}, world.db, "history")
		require.NoError(t, err)
		require.Regexp(t, `1 +\S+ +duplicate +ash#\S+ +ash#\S+ +\d+ +refused: another process runs under this id`, stdout)
		d, _ := examined(t, world.db, "--quick")
		require.Equal(t, []string{"ok terms 1 to 1 without a gap"}, d.of("history"))
		require.Len(t, d.of("ids"), 1)
		require.Regexp(t, `^warn ash#\S+ was turned away, as ash#\S+ was alive under the same id: .* ago, in term 1$`, d.of("ids")[0])

		world.pass(24 * time.Hour)
		d, _ = examined(t, world.db, "--quick")
		require.Equal(t, []string{"ok no two processes were seen under one id"}, d.of("ids"))
		stop()
		require.NoError(t, <-watched)
		seat, _ := toldApart(out.String())
		require.Len(t, seat, 1, "%v", seat)
		leave()
	})
}
