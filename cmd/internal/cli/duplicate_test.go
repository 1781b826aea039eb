package cli

import (
	"bytes"
	"context"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
)

// TestDuplicateIsReported: if two processes have one id, history and doctor name both, doctor
// for one day. For a watch the tenure does not change.
func TestDuplicateIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := clitest.NewCompany(t)
		_, leave := world.Enter("ash", 0)
		world.Pass(time.Second)
		var out, errs bytes.Buffer
		a := &app{Program: clitest.NewProgram(clitest.Virtual{}, &out, &errs, (&clitest.Weather{Database: world.DB}).Store())}
		ctx, stop := context.WithCancel(t.Context())
		watched := make(chan error)
		go func() { watched <- a.exec(ctx, []string{"watch", "--store", "test:"}) }()
		world.Pass(3 * time.Second)

		second, _ := world.Enter("ash", 0)
		world.Pass(5 * time.Second)
		require.ErrorIs(t, second.Stop(t.Context()), fdbelection.ErrDuplicateID)

		stdout, _, err := execOn(t.Context(), clitest.Virtual{}, world.DB, "history")
		require.NoError(t, err)
		require.Regexp(t, `1 +\S+ +duplicate +ash#\S+ +ash#\S+ +\d+ +refused: another process runs under this id`, stdout)
		d, _ := examined(t, world.DB, "--quick")
		require.Equal(t, []string{"ok terms 1 to 1 without a gap"}, d.of("history"))
		require.Len(t, d.of("ids"), 1)
		require.Regexp(t, `^warn ash#\S+ was refused because ash#\S+ was alive with the same id: .* ago, in term 1$`, d.of("ids")[0])

		stop()
		require.NoError(t, <-watched)
		leave()
		world.Pass(24 * time.Hour)
		d, _ = examined(t, world.DB, "--quick")
		require.Equal(t, []string{"ok no two processes were seen with one id"}, d.of("ids"))
		tenures := regexp.MustCompile(`event=(start|elected|vacant|accepted) `).FindAllString(out.String(), -1)
		require.Len(t, tenures, 1, "%s", &out)
	})
}
