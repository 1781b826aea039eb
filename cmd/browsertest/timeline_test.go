package browsertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// past is an election with every kind of tenure: ash leads, resigns, and there is no leader
// for ten minutes. birch leads until its lease expires. oak takes over, and elm preempts it.
func past(w *world) (elm election.Registration) {
	o := w.elect("orders", func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	now := time.Now()
	before := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	ash, birch, oak := member("ash"), member("birch"), member("oak")
	elm = member("elm", func(r *election.Registration) { r.Priority = 10 })
	for _, one := range []election.Registration{ash, birch, oak} {
		o.enter(one, before(300))
	}
	o.claims(ash, before(300))
	o.does(func(tr kv.Transaction) error {
		return o.RecordDuplicate(tr, ash.Identity, election.Identity{ID: "ash", Incarnation: uuid.New()}, before(280))
	})
	o.resigns(before(250))
	o.claims(birch, before(240))
	o.claims(oak, before(120))
	o.enter(elm, before(70))
	o.claims(elm, before(65))
	return elm
}

// at moves the mouse to a time before now, in minutes.
const at = `(minutes) => {
	const frame = document.querySelector('#timeline');
	const box = frame.getBoundingClientRect();
	const x = box.right - minutes / 360 * box.width;
	frame.dispatchEvent(new PointerEvent('pointermove', { clientX: x, clientY: box.top + 30, pointerType: 'mouse' }));
	return document.querySelector('#inspector').innerText.replace(/[\u2068\u2069]/g, '').replace(/\s+/g, ' ');
}`

// The timeline tells of each tenure and gap who led, from when to when, and why it began and ended.
func TestTimeline(t *testing.T) {
	w := newWorld(t)
	past(w)
	p := open(t, w.serve().URL+"/election?name=orders")
	p.waits(`document.querySelectorAll('.line .bar').length > 0`)
	eval[any](p, `[...document.querySelectorAll('.windows button')].find((b) => b.innerText === '6 h').click()`)
	require.Equal(t, 5, eval[int](p, `document.querySelectorAll('.line .bar').length`))
	require.Equal(t, 1, eval[int](p, `document.querySelectorAll('.line .bar.gap').length`))
	require.Equal(t, 1, eval[int](p, `document.querySelectorAll('.line .duplicate').length`))
	require.Equal(t, "rgb(217, 56, 46)", eval[string](p, `getComputedStyle(document.querySelector('.line .gap')).fill`), "a gap is red")
	require.Equal(t, []string{"ash", "no leader", "birch", "oak", "elm"}[2:], eval[[]string](p, `[...document.querySelectorAll('.line .bar-text')].map((e) => e.textContent)`)[1:])
	for minutes, want := range map[int][]string{
		290: {"ash term 1", ", 50 min", "Began claimed the vacant leadership", "Ended resigned", "A second process was started under the id ash"},
		245: {"No leader after term 1", ", 10 min", "Began ash had left (resigned)", "Ended birch took over"},
		200: {"birch term 2", ", 2 h", "Began claimed the leadership 10 min after ash had left it (resigned)", "Ended its lease expired, and oak took over"},
		100: {"oak term 3", ", 55 min", "Began took over after the lease of birch had expired", "Ended elm has a higher priority, and took over"},
		30:  {"elm term 4", " to now, 1 h 5 min", "Began took over from oak, which had a lower priority", "Now it goes on"},
	} {
		text := eval[string](p, fmt.Sprintf("(%s)(%d)", at, minutes))
		for _, part := range want {
			require.Contains(t, text, part, "%d minutes ago", minutes)
		}
	}
	eval[any](p, `document.querySelector('#timeline').dispatchEvent(new PointerEvent('pointerleave'))`)
	require.Contains(t, p.text("#inspector"), "elm", "without the mouse it tells of the present")
	require.Equal(t, []string{"4 began", "3 began", "2 began", "1 ended", "1 duplicate", "1 began"},
		eval[[]string](p, `[...document.querySelectorAll('.events-table tbody tr')].map((r) => r.querySelector('.c-term').innerText + ' ' + r.querySelector('.c-event').innerText)`))
	require.Contains(t, p.plain("#why"), "It took over from oak, which had a lower priority.")
}

// The keyboard reaches each tenure, and a screen reader hears what the inspector shows.
func TestTimelineByKeyboard(t *testing.T) {
	w := newWorld(t)
	past(w)
	p := open(t, w.serve().URL+"/election?name=orders")
	p.waits(`document.querySelectorAll('.line .bar').length > 0`)
	spoken := func() string {
		return eval[string](p, `document.querySelector('#timeline').getAttribute('aria-valuetext').replace(/[\u2068\u2069]/g, '')`)
	}
	for i := 0; i < 30 && eval[string](p, `document.activeElement.id`) != "timeline"; i++ {
		p.types(kb.Tab)
	}
	require.Equal(t, "timeline", eval[string](p, `document.activeElement.id`), "Tab reaches the timeline")
	require.Contains(t, spoken(), "elm, term 4")
	for _, want := range []string{"oak, term 3", "birch, term 2", "No leader from", "ash, term 1", "ash, term 1"} {
		p.press("ArrowLeft", "")
		require.Contains(t, spoken(), want)
		require.Equal(t, 1, eval[int](p, `document.querySelectorAll('.line .marked').length`), "it is on the screen")
	}
	require.Contains(t, spoken(), "End: resigned.")
	p.press("End", "")
	require.Contains(t, spoken(), "elm, term 4")
	require.Contains(t, spoken(), "It goes on.")
	p.press("Home", "")
	before := eval[float64](p, `Number(document.querySelector('.line .marked').getAttribute('width'))`)
	p.press("+", "+")
	require.InDelta(t, 2*before, eval[float64](p, `Number(document.querySelector('.line .marked').getAttribute('width'))`), before/2)
	p.press("-", "-")
	require.InDelta(t, before, eval[float64](p, `Number(document.querySelector('.line .marked').getAttribute('width'))`), before/2)
}

// The leadership is vacant now: the gap goes on, and the page says since when.
func TestTimelineVacantNow(t *testing.T) {
	w := newWorld(t)
	past(w)
	o := office{election.New(root.Sub("orders")), w}
	o.resigns(time.Now().Add(-5 * time.Minute))
	p := open(t, w.serve().URL+"/election?name=orders")
	p.waits(`document.querySelectorAll('.line .bar.gap').length > 0`)
	require.Equal(t, "No leader", p.text("#leader"))
	require.Contains(t, p.plain("#why"), "elm left: resigned.")
	require.Regexp(t, `^for 5 min`, p.text(".age"))
	require.Contains(t, p.plain("#inspector"), "no process has claimed leadership yet")
	require.Contains(t, eval[string](p, `document.title`), "No leader: ")
}

// 10,000 events are drawn quickly, and what is thinner than two pixels is merged. A gap stays red.
func TestTenThousandEvents(t *testing.T) {
	const terms = 5000
	w := newWorld(t)
	o := w.elect("orders", func(c *fdbelection.Config) { c.HistoryLimit = terms })
	var all []election.Registration
	for i := range 5 {
		all = append(all, member(fmt.Sprintf("node-%d", i)))
		o.enter(all[i], time.Now())
	}
	begin := time.Now().Add(-terms * time.Minute)
	for first := 0; first < terms; first += 100 {
		o.does(func(tr kv.Transaction) error {
			for i := first; i < first+100; i++ {
				at := begin.Add(time.Duration(i) * time.Minute)
				r, err := o.RunElectionCycle(tr, all[i%5], at, election.WithObservation(election.Observation{}, at))
				if err == nil {
					err = o.ResignLeadership(tr, r.Leader.Token(), at.Add(50*time.Second))
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	o.claims(all[0], time.Now())
	p := open(t, w.serve().URL+"/election?name=orders")
	p.waits(`document.querySelector('.events .count')?.innerText.startsWith('50 of ')`)
	require.Equal(t, 9999, eval[int](p, `Number(document.querySelector('.events .count').innerText.match(/of (\d+)/)[1])`))
	require.Equal(t, 50, eval[int](p, `document.querySelectorAll('.events-table tbody tr').length`))
	eval[any](p, `document.querySelector('.events .more').click()`)
	require.Equal(t, 100, eval[int](p, `document.querySelectorAll('.events-table tbody tr').length`))
	took := eval[float64](p, `(() => {
		const begin = performance.now();
		[...document.querySelectorAll('.windows button')].find((b) => b.innerText === 'All').click();
		document.body.getBoundingClientRect();
		return performance.now() - begin;
	})()`)
	bars := eval[int](p, `document.querySelectorAll('.line .bar').length`)
	t.Logf("all events took %.0f ms, with %d bars", took, bars)
	require.Less(t, took, 3000.0)
	require.Less(t, bars, 1200)
	require.Positive(t, eval[int](p, `document.querySelectorAll('.line .gap').length`))
	require.Contains(t, eval[string](p, `(() => {
		const frame = document.querySelector('#timeline');
		const box = frame.getBoundingClientRect();
		frame.dispatchEvent(new PointerEvent('pointermove', { clientX: box.left + box.width / 2, clientY: box.top + 30, pointerType: 'mouse' }));
		return document.querySelector('#inspector').innerText;
	})()`), "tenures and gaps")
	last := eval[float64](p, `performance.now()`)
	o.resigns(time.Now())
	p.waits(`document.querySelector('#leader').innerText === 'No leader'`)
	t.Logf("a change after %.0f ms", eval[float64](p, `performance.now()`)-last)
}
