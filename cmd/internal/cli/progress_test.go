package cli

import (
	"bytes"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// Progress is one line, which changes at a bearable pace and leaves nothing.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &progress{out: &out, clock: Virtual{}}
		p.done()
		p.say("one")
		p.say("too soon")
		require.NoError(t, clock.Sleep(t.Context(), Virtual{}, progressPace))
		p.say("two")
		p.done()
		require.Equal(t, "\r\x1b[Kone\r\x1b[Ktwo\r\x1b[K", out.String())
		none := (&app{program: &program{stderr: &out, clock: Virtual{}}}).newProgress()
		out.Reset()
		none.say("nobody looks")
		none.done()
		require.Empty(t, out.String(), "what is no terminal gets none")
	})
}
