package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/elector"
)

// TestWatchReportsChanges: a watch reports every change of an election, and a store that
// becomes unavailable and available again.
func TestWatchReportsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clitest.NewCompany(t)
		w := &clitest.Weather{Database: c.DB}
		var out, errs bytes.Buffer
		a := clitest.NewProgram(clitest.Virtual{}, &out, &errs, w.Store())
		done := make(chan error)
		ctx, stop := context.WithCancel(t.Context())
		go func() { done <- clitest.Exec(ctx, a, Command(a), "watch", "--store", "test:") }()

		c.Pass(2500 * time.Millisecond) // the election does not exist
		first, _ := c.Enter("first", 1)
		c.Pass(3 * time.Second)
		_, leaveSecond := c.Enter("second", 0)
		c.Pass(3 * time.Second)
		first.Abandon() // a crash
		c.Pass(8 * time.Second)
		w.Down.Store(true)
		c.Pass(5 * time.Second)
		_, leaveThird := c.Enter("third", 0) // while the store is unavailable to the watch
		c.Pass(3 * time.Second)
		w.Down.Store(false)
		c.Pass(3 * time.Second)
		leaveSecond()
		c.Pass(3 * time.Second)
		stop()
		require.NoError(t, <-done)
		leaveThird()

		require.Empty(t, errs.String())
		leadership, candidates := splitLines(out.String())
		require.Equal(t, []string{
			`leader=- term=0 unreadable reason="there is no election default below fdbelection in store test:; check --election and --root (\"fdbelect list\" shows what is there), or create one with \"fdbelect init\""`,
			`leader=first term=1 readable reason="the election can be read"`,
			`leader=first term=1 start reason=vacancy`,
			`leader=second term=2 elected reason=expiry`,
			`leader=second term=2 unreadable reason="the disk is on fire"`,
			`leader=second term=2 readable reason="the election can be read again"`,
			`leader=- term=2 vacant reason="second: left"`,
			`leader=third term=3 elected reason=vacancy`,
		}, leadership)
		require.Equal(t, []string{
			`present candidate=first reason="voter, priority 1"`,
			`joined candidate=second reason="voter, priority 0"`,
			`left candidate=first reason="it is not registered any more"`,
			`joined candidate=third reason="voter, priority 0"`,
			`left candidate=second reason="it is not registered any more"`,
		}, candidates)
		require.GreaterOrEqual(t, w.Opened.Load(), int32(2), "it was opened again")
	})
}

// TestWatchByPush: a change of any candidate is shown at once, and not at the next interval.
func TestWatchByPush(t *testing.T) {
	for _, changed := range []string{"a", "b"} {
		synctest.Test(t, func(t *testing.T) {
			world := clitest.NewCompany(t)
			processes := map[string]*elector.Elector{}
			var leave [2]func()
			processes["a"], leave[0] = world.Enter("a", 0)
			world.Pass(3 * time.Second)
			processes["b"], leave[1] = world.Enter("b", 0)
			world.Pass(3 * time.Second)
			done := make(chan error)
			go func() {
				_, _, err := execOn(t.Context(), clitest.Virtual{}, world.DB, "watch", "--until", "event=changed candidate="+changed)
				done <- err
			}()
			world.Pass(3*time.Second + 13*time.Millisecond)
			begin := time.Now()
			require.NoError(t, processes[changed].SetMetadata(map[string]string{"addr": "1"}))
			require.NoError(t, <-done)
			require.LessOrEqual(t, time.Since(begin), 2*minReadGap)
			leave[1]()
			leave[0]()
		})
	}
}

// TestWatchEnds: what ends a watch, and how.
func TestWatchEnds(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		took time.Duration
		want string
	}{
		"a leader renews":     {[]string{"--until", "leader"}, 0, 2 * time.Second / 6, "event=start"},
		"no match in time":    {[]string{"--until", "event=vacant", "--for", "7s"}, exit.CodeTimedOut, 7 * time.Second, ""},
		"after a time":        {[]string{"--for", "7s"}, 0, 7 * time.Second, ""},
		"a line that matches": {[]string{"--until", "event=present candidate=a"}, 0, 0, "candidate=a"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				world := clitest.NewCompany(t)
				_, leave := world.Enter("a", 0)
				world.Pass(3 * time.Second)
				begin := time.Now()
				stdout, stderr, err := execOn(t.Context(), clitest.Virtual{}, world.DB, append([]string{"watch"}, c.args...)...)
				require.Equal(t, c.code, exit.Code(err), stderr)
				require.Equal(t, c.took, time.Since(begin))
				require.Contains(t, stdout, c.want)
				leave()
			})
		})
	}
}

// TestWatchForScripts: each change is one JSON object on a line, or one YAML document.
func TestWatchForScripts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := clitest.NewCompany(t)
		_, leave := world.Enter("a", 3)
		world.Pass(3 * time.Second)
		stdout, _, err := execOn(t.Context(), clitest.Virtual{}, world.DB, "watch", "--output", "json", "--until", "leader")
		require.NoError(t, err)
		var events []string
		for line := range strings.Lines(stdout) {
			var n news
			require.NoError(t, json.Unmarshal([]byte(line), &n))
			require.Equal(t, "a", n.Leader.ID)
			require.EqualValues(t, 1, n.Term)
			require.False(t, n.Time.IsZero())
			events = append(events, n.Event)
		}
		require.Equal(t, []string{eventStart, eventPresent}, events)
		stdout, _, err = execOn(t.Context(), clitest.Virtual{}, world.DB, "watch", "--output", "yaml", "--until", "leader")
		require.NoError(t, err)
		require.Equal(t, 2, strings.Count(stdout, "---\ntime: "))
		leave()
	})
}
