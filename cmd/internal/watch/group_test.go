package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rivo/uniseg"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/kv"
)

// watched runs "group watch" on a group in virtual time, and returns its lines without times and
// its error.
func watched(t *testing.T, p *clitest.Pool, args ...string) ([]string, error) {
	t.Helper()
	stdout, _, err := clitest.ExecOn(t.Context(), clitest.Virtual{}, p.Database, GroupCommand, append([]string{"watch"}, args...)...)
	var lines []string
	for line := range strings.Lines(stdout) {
		_, line, _ = strings.Cut(strings.TrimSpace(line), " ")
		lines = append(lines, line)
	}
	return lines, err
}

// TestGroupWatchReportsChanges: every change is reported once, in order.
func TestGroupWatchReportsChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := clitest.NewPool(t, 3)
		p.Joins("a")
		p.Joins("b")
		p.Claims("a", "s0", "s1")
		stop := p.Lives("a")
		defer stop()
		time.AfterFunc(2*time.Second, func() {
			p.Gives("a", "s0", "b", group.ReasonBalance)
			p.Gives("a", "s1", "", group.ReasonWork)
			p.Claims("b", "s1")
			p.Does(func(tr kv.Transaction) error { return p.Pin(tr, "s2", "x y") })
			p.Does(func(tr kv.Transaction) error { return p.RequestResign(tr, "s0", 2, p.ID()) })
			p.Does(func(tr kv.Transaction) error { _, err := p.RemoveShards(tr, []string{"s2"}); return err })
		})
		time.AfterFunc(15*time.Second, func() {
			p.Does(func(tr kv.Transaction) error {
				seen, err := p.ReadBeats(tr, "b")
				if err == nil {
					_, err = p.Evict(tr, p.Members["a"].Identity, seen[0])
				}
				return err
			})
		})
		begin := time.Now()
		lines, err := watched(t, p, "--until", "event=evicted", "--for", "1m")
		require.NoError(t, err)
		require.Less(t, time.Since(begin), 16*time.Second)
		require.Equal(t, []string{
			`event=start reason="3 shards, 1 of them free"`,
			`event=present member=a reason="ready, leads 2 shards"`,
			`event=present member=b reason="ready, leads 0 shards"`,
			`event=handed_over shard=s0 term=2 from=a to=b reason=balance`,
			`event=vacant shard=s1 term=1 from=a reason=work`,
			`event=claimed shard=s1 term=2 to=b reason=vacancy`,
			`event=pinned shard=s2 member="x y" reason="to x y"`,
			`event=requested shard=s0 term=2 reason=resign`,
			`event=removed shard=s2 reason=removed`,
			`event=unpinned shard=s2 member="x y" reason="from x y"`,
			`event=timed_out member=b reason="no heartbeat was seen for 10s"`,
			`event=evicted member=b reason="by a"`,
		}, lines)
		_, err = watched(t, p, "--until", "event=nothing", "--for", "2s")
		require.Equal(t, exit.CodeTimedOut, exit.Code(err))
	})
}

// TestGroupWatchOfLiveMembers: the moves of members that run the loop are shown as JSON lines.
func TestGroupWatchOfLiveMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := clitest.NewPool(t, 8)
		ctx, cancel := context.WithCancel(t.Context())
		var ended []chan struct{}
		enter := func(id string) *member.Member {
			m, err := member.New(p.Database, p.Group, member.Options{ID: id, Clock: clitest.Virtual{}})
			require.NoError(t, err)
			done := make(chan struct{})
			ended = append(ended, done)
			go func() {
				defer close(done)
				_ = m.Run(ctx, func(ctx context.Context, _ *member.Shard) error { <-ctx.Done(); return nil })
			}()
			return m
		}
		enter("a")
		require.NoError(t, clock.Sleep(t.Context(), clitest.Virtual{}, 20*time.Second))
		time.AfterFunc(2*time.Second, func() { enter("b") })
		stdout, _, err := clitest.ExecOn(t.Context(), clitest.Virtual{}, p.Database, GroupCommand, "watch", "-o", "json", "--for", "20s")
		cancel()
		for _, done := range ended {
			<-done
		}
		require.NoError(t, err)
		var events []report.GroupEvent
		moved := make(map[string]bool)
		for dec := json.NewDecoder(strings.NewReader(stdout)); dec.More(); {
			var e report.GroupEvent
			require.NoError(t, dec.Decode(&e))
			events = append(events, e)
			if e.Event == groups.EventHandedOver {
				require.Equal(t, []string{"a", "b", "balance"}, []string{e.From.ID, e.To.ID, e.Reason})
				moved[e.Shard] = true
			}
		}
		require.Len(t, moved, 4, stdout)
		require.Equal(t, "8 shards, 0 of them free", events[0].Reason)
	})
}

// TestGroupWatchGoesOn: watch goes on when the store fails, and when the log was trimmed.
func TestGroupWatchGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := clitest.NewPool(t, 1)
		w := &clitest.Weather{Database: p.Database}
		var out, errs bytes.Buffer
		a := clitest.NewProgram(clitest.Virtual{}, &out, &errs, w.Store())
		time.AfterFunc(2*time.Second, func() { w.Down.Store(true) })
		time.AfterFunc(4*time.Second, func() {
			p.Does(func(tr kv.Transaction) error {
				version, err := tr.GetReadVersion().Get()
				if err != nil {
					return err
				}
				return p.Trim(tr, version)
			})
			p.Joins("a")
			w.Down.Store(false)
		})
		time.AfterFunc(8*time.Second, func() { p.Claims("a", "s0") })
		require.NoError(t, clitest.Exec(t.Context(), a, GroupCommand(a), "watch", "--store", "test:", "--for", "9s"))
		var kinds []string
		for _, match := range regexp.MustCompile(`event=(\w+)`).FindAllStringSubmatch(out.String(), -1) {
			kinds = append(kinds, match[1])
		}
		require.Equal(t, []string{eventStart, eventUnreadable, eventReadable, eventReset, groups.EventClaimed}, kinds, out.String())
		require.EqualValues(t, 2, w.Opened.Load())
	})
}

// TestGroupWatchReportsDamage: a record that cannot be read is reported once, and its repair.
func TestGroupWatchReportsDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := clitest.NewPool(t, 2)
		p.Spoils("pins", "s0")
		time.AfterFunc(3*time.Second, func() { p.Does(func(tr kv.Transaction) error { _, err := p.Unpin(tr, "s0"); return err }) })
		lines, err := watched(t, p, "--for", "5s")
		require.NoError(t, err)
		require.Len(t, lines, 4)
		require.Contains(t, lines[1], "event=unreadable")
		require.Contains(t, lines[1], "fdbelect group unpin")
		require.Equal(t, `event=unpinned shard=s0 reason=""`, lines[2])
		require.Equal(t, `event=readable reason="all records can be read"`, lines[3])
	})
}

// groupScreenOf returns a watch on a terminal that records what it is sent.
func groupScreenOf(out *bytes.Buffer, columns, rows int) *groupScreen {
	a := clitest.NewProgram(clitest.Virtual{}, out, out)
	return &groupScreen{
		screen:  openScreen(out, strings.NewReader("q"), a.Clock, func() (int, int) { return columns, rows }),
		palette: terminal.Palette{On: true}, program: a, title: "default below fdbelection in test:",
	}
}

// TestGroupScreen: members have bars of their load, and the terminal is restored.
func TestGroupScreen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := clitest.NewPool(t, 10)
		p.Joins("ash", func(m *group.Member) { m.Tags = map[string]string{"zone": "\x1b[2J"} })
		p.Joins("elm", func(m *group.Member) { m.NotReady = "cold\u202e" })
		p.Claims("ash", "s0", "s1", "s2", "s3")
		p.Spoils("shards", "s9")
		var out bytes.Buffer
		a := clitest.NewProgram(clitest.Virtual{}, &out, &out, clitest.StoreOf(p.Database))
		f := watchFlags{tui: true, limit: 12 * time.Second}
		f.Spec, f.Name, f.Root, f.Timeout, f.OfGroup = "test:", "default", "fdbelection", time.Second, true
		require.NoError(t, runGroupWatch(t.Context(), a, &f))
		shown, after, _ := strings.Cut(out.String(), screenLeave)
		require.Contains(t, after, "event=", "the last event is printed below")
		all := frames(t, shown)
		require.Greater(t, len(all), 100, "it is drawn ten times a second")
		last := all[len(all)-1]
		for _, want := range []string{
			"fdbelect group watch  default below fdbelection in test:", "4 of 10, 5 free", "\nash#", "\nelm#", "silent", "problem ", "EVENTS", "timed_out",
		} {
			require.Contains(t, last, want)
		}
		require.Regexp(t, `ash#\w+ +4 +█+ `, last)
		require.Regexp(t, `elm#\w+ +0 +░+ `, last)
	})
}

// TestGroupScreenMerges: a death moves many shards. The screen has one row for each pair of members,
// so that the eviction before stays visible. A move much later is another row.
func TestGroupScreenMerges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		w := groupScreenOf(&out, 100, 16)
		at := time.Now()
		move := func(i int, to string) groupNews {
			return groupNews{report.GroupEvent{
				Time: at, Event: groups.EventClaimed, Shard: fmt.Sprintf("s%03d", i), Reason: "expiry",
				From: &output.Identity{ID: "dead"}, To: &output.Identity{ID: to},
			}}
		}
		u := groupUpdate{read: true, shards: 300, news: []groupNews{{report.GroupEvent{
			Time: at, Event: groups.EventEvicted, Member: &output.Identity{ID: "dead"}, Reason: "by ash",
		}}}}
		for i := range 200 {
			at = at.Add(time.Millisecond)
			u.news = append(u.news, move(i, []string{"ash", "elm"}[i%2]))
		}
		require.NoError(t, w.show(&u))
		at = at.Add(time.Minute)
		require.NoError(t, w.show(&groupUpdate{read: true, shards: 300, news: []groupNews{move(250, "ash")}}))
		w.close()
		all := frames(t, strings.Split(out.String(), screenLeave)[0])
		last := all[len(all)-1]
		require.Regexp(t, `claimed +s250 +dead -> ash +expiry\n`, last)
		require.Regexp(t, `claimed +100 shards +dead -> elm +expiry\n`, last)
		require.Regexp(t, `claimed +100 shards +dead -> ash +expiry\n`, last)
		require.Regexp(t, `evicted +dead +by ash`, last)
	})
}

// TestGroupScreenFits: a screen never sends more rows or columns than fit.
func TestGroupScreenFits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, size := range [][2]int{{80, 24}, {40, 10}, {1, 1}, {3, 200}, {200, 3}, {120, 16}} {
			var out bytes.Buffer
			w := groupScreenOf(&out, size[0], size[1])
			u := groupUpdate{read: true, shards: 60}
			for i := range 60 {
				id := strings.Repeat("界", i+1)
				u.members = append(u.members, groupview.Member{ID: id, Shards: i})
				u.news = append(u.news, groupNews{report.GroupEvent{Event: groups.EventJoined, Member: &output.Identity{ID: id}, Reason: strings.Repeat("why ", 50)}})
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
	})
}
