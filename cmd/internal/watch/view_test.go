package watch

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/rivo/uniseg"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// ownSequences are the sequences that a screen may send.
var ownSequences = regexp.MustCompile(`\x1b\[(\?1049[hl]|\?25[hl]|H|J|K|2J|(0|1|2|31|32|33)m)`)

// frames splits what was sent to a terminal into drawings, without the colours. It checks
// that only the screen's own sequences were sent.
func frames(t *testing.T, sent string) []string {
	t.Helper()
	var all []string
	for _, frame := range strings.Split(sent, screenHome)[1:] {
		plain := ownSequences.ReplaceAllString(frame, "")
		for _, r := range plain {
			require.True(t, r == '\n' || r == '\r' || unicode.IsPrint(r), "%U is sent in %q", r, frame)
		}
		all = append(all, strings.ReplaceAll(plain, "\r", ""))
	}
	return all
}

// screenOf returns a watch on a terminal that records what it is sent.
func screenOf(out *bytes.Buffer, columns, rows int) *watchScreen {
	a := clitest.NewProgram(clitest.Virtual{}, out, out)
	return &watchScreen{
		screen:  openScreen(out, strings.NewReader("q"), a.Clock, func() (int, int) { return columns, rows }),
		palette: terminal.Palette{On: true}, program: a, title: "default below fdbelection in test:",
	}
}

// TestWatchScreen: the bar of the lease gets shorter between renewals, and the terminal is
// restored.
func TestWatchScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		world := clitest.NewCompany(t)
		_, leave := world.Enter("ash", 3)
		world.Pass(time.Second)
		_, leaveElm := world.Enter("elm", 0)
		world.Pass(5 * time.Second)
		var out bytes.Buffer
		a := clitest.NewProgram(clitest.Virtual{}, &out, &out, clitest.StoreOf(world.DB))
		f := watchFlags{tui: true, limit: 3 * time.Second}
		f.Spec, f.Name, f.Root, f.Timeout = "test:", "default", "fdbelection", time.Second
		require.NoError(t, runWatch(t.Context(), a, &f))
		leaveElm()
		leave()

		require.True(t, strings.HasPrefix(out.String(), screenEnter))
		require.Contains(t, out.String(), screenLeave)
		shown, after, _ := strings.Cut(out.String(), screenLeave)
		require.Contains(t, after, "event=", "the last event is printed below")
		all := frames(t, shown)
		require.Greater(t, len(all), 25, "it is drawn ten times a second")
		last := all[len(all)-1]
		for _, want := range []string{
			"default below fdbelection in test:", "leader    ash#", "priority 3", "term      1",
			"RANK  CANDIDATE", "\n1     ash#", "\n2     elm#", "EVENTS", "start", " of 2s",
		} {
			require.Contains(t, last, want)
		}
		left := make(map[string]bool)
		for _, frame := range all {
			left[regexp.MustCompile(`[0-9.]+s of 2s`).FindString(frame)] = true
		}
		require.Greater(t, len(left), 5, "the bar gets shorter: %v", left)
	})
}

// TestWatchScreenFits: a screen never sends more rows or columns than fit, and clears
// itself when the size changes.
func TestWatchScreenFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, size := range [][2]int{{80, 24}, {40, 10}, {1, 1}, {3, 200}, {200, 3}, {120, 16}} {
			var out bytes.Buffer
			w := screenOf(&out, size[0], size[1])
			s := &records.Snapshot{Status: election.Status{Leader: election.LeaderRecord{
				Term: 1, Ballot: 9, Identity: election.Identity{ID: "日本語" + strings.Repeat("x", 90)}, LeaseDuration: time.Second,
			}}}
			u := update{snapshot: s, heartbeats: map[string]heartbeat{}}
			for i := range 60 {
				id := strings.Repeat("界", i+1)
				s.Candidates = append(s.Candidates, election.Candidate{Registration: election.Registration{Identity: election.Identity{ID: id}}})
				u.news = append(u.news, news{Event: eventPresent, Candidate: &output.Identity{ID: id}, Reason: strings.Repeat("why ", 50)})
			}
			require.NoError(t, w.show(&u))
			w.close()
			all := frames(t, strings.Split(out.String(), screenLeave)[0])
			lines := strings.Split(all[0], "\n")
			require.LessOrEqual(t, len(lines), size[1], "%v", size)
			for _, line := range lines {
				require.LessOrEqual(t, uniseg.StringWidth(line), size[0], "%v: %s", size, line)
			}
			if size[1] == 24 {
				require.Contains(t, all[0], " more")
				require.Contains(t, all[0], "EVENTS\n")
			}
		}
		var out bytes.Buffer
		w := screenOf(&out, 80, 24)
		columns := 80
		w.size = func() (int, int) { return columns, 24 }
		require.NoError(t, w.draw())
		require.NoError(t, w.draw())
		require.Equal(t, 1, strings.Count(out.String(), screenClear))
		columns = 100
		require.NoError(t, w.draw())
		require.Equal(t, 2, strings.Count(out.String(), screenClear))
		w.close()
	})
}

// TestWatchUntrustedText: no text of the store controls the terminal.
func TestWatchUntrustedText(t *testing.T) {
	const hostile = "x\x1b[2J\x07\u009b2J\u200b\u202e\n\r\tq\U000e0041"
	synctest.Test(t, func(t *testing.T) {
		db := memkv.New(memkv.Options{})
		e := election.New(subspace.New("fdbelection", "default"))
		plain := election.Registration{Identity: election.Identity{ID: "plain", Incarnation: uuid.UUID{1}}, Metadata: map[string]string{hostile: hostile}}
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			if _, err := e.InitializeWithConfig(tr, fdbelection.DefaultConfig()); err != nil {
				return err
			}
			return e.RegisterCandidate(tr, plain, time.Now())
		}))
		// No function writes this: a hostile id in a key, in the leader record and in the
		// history.
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			if _, err := e.TryClaimLeadership(tr, plain.Identity, time.Now(), election.WithObservation(election.Observation{}, time.Now())); err != nil {
				return err
			}
			for _, record := range []string{"leader", "term", "history", "candidates"} {
				begin, end := e.Subspace().Sub(record).Range()
				rows, err := tr.GetRange(begin, end, kv.RangeOptions{}).Get()
				if err != nil {
					return err
				}
				at := e.Subspace().Sub(record).Bytes()
				if value, err := tr.Get(at).Get(); err == nil && value != nil {
					rows = append(rows, kv.KeyValue{Key: at, Value: value})
				}
				for _, row := range rows {
					encoded := func(id string) []byte { return subspace.AppendString(nil, id) }
					tr.Set(bytes.Replace(row.Key, encoded("plain"), encoded(hostile), 1), bytes.ReplaceAll(row.Value, encoded("plain"), encoded(hostile)))
				}
			}
			return nil
		}))
		for _, args := range [][]string{{}, {"--output", "json"}, {"--output", "yaml"}} {
			stdout, stderr, err := execOn(t.Context(), clitest.Virtual{}, db, append([]string{"watch", "--for", "20s"}, args...)...)
			require.NoError(t, err)
			require.Contains(t, stdout, `[2J`, "it is shown, %v", args)
			require.Contains(t, stdout, eventLeaseExpired)
			require.Equal(t, terminal.SafeLines(stdout), stdout)
			require.Empty(t, stderr)
		}
		var out bytes.Buffer
		a := clitest.NewProgram(clitest.Virtual{}, &out, &out, clitest.StoreOf(db))
		f := watchFlags{tui: true, limit: 20 * time.Second}
		f.Spec, f.Name, f.Root, f.Timeout = "test:", "default", "fdbelection", time.Second
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		require.NoError(t, runWatch(ctx, a, &f))
		all := frames(t, out.String())
		require.Contains(t, all[len(all)-1], `[2J`, "it is shown")
		require.Contains(t, all[len(all)-1], "expired")

		// CutText also makes text safe that was not escaped before.
		text, _ := terminal.CutText(hostile, 80)
		require.Equal(t, terminal.SafeLines(text), text)
		require.NotContains(t, text, "\n")
	})
}

// TestBar: the bar is in proportion to what is left. It is empty only if nothing is left.
func TestBar(t *testing.T) {
	full := func(left, whole time.Duration) int {
		return strings.Count(terminal.Bar(left, whole, 10, nil, nil).Cut(20), "█")
	}
	require.Equal(t, 10, full(time.Second, time.Second))
	require.Equal(t, 5, full(time.Second, 2*time.Second))
	require.Equal(t, 1, full(1, 2*time.Second), "something is left")
	require.Equal(t, 0, full(0, 2*time.Second))
	require.Equal(t, 0, full(-1, time.Second))
	require.Equal(t, 10, full(3*time.Second, time.Second))
}
