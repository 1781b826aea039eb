package browsertest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

const rows = `document.querySelectorAll('.elections tbody tr').length`

// An empty store says how to make an election, and the first one appears by itself.
func TestListWithoutElections(t *testing.T) {
	w := newWorld(t)
	p := open(t, w.serve().URL)
	p.waits(`document.querySelector('.empty')?.innerText.includes('fdbelect init')`)
	require.Equal(t, "0 elections - fdbelect", eval[string](p, "document.title"))

	ash := member("ash")
	o := w.elect("orders")
	o.enter(ash, time.Now())
	o.claims(ash, time.Now())
	p.waits(rows + ` === 1`)
	p.waits(`document.querySelector('.elections tbody tr').innerText.includes('ash')`)
}

// The search finds elections and leaders. Problems come first.
func TestListOfFifty(t *testing.T) {
	w := newWorld(t)
	for i := range 50 {
		o := w.elect(fmt.Sprintf("service-%02d", i))
		me := member(fmt.Sprintf("node-%02d", i%5))
		o.enter(me, time.Now())
		if i != 33 {
			o.claims(me, time.Now())
		}
	}
	p := open(t, w.serve().URL)
	p.waits(rows + ` === 50`)
	require.Contains(t, p.text("#summary"), "50 elections, 1 without a leader")
	require.Contains(t, p.text(".elections tbody tr"), "service-33", "the one with a problem comes first")
	require.Equal(t, "1 problem in 50 elections - fdbelect", eval[string](p, "document.title"))

	p.press("/", "/")
	require.Equal(t, "search", eval[string](p, "document.activeElement.id"))
	p.types("NODE-04")
	p.waits(rows + ` === 10`)
	p.types("nothing")
	p.waits(`document.querySelector('.empty').innerText.includes('NODE-04nothing')`)
	p.press("Escape", "")
	p.waits(rows + ` === 50`)
	eval[any](p, `document.querySelector('.toggle').click()`)
	p.waits(rows + ` === 1`)
	require.Equal(t, "true", eval[string](p, `document.querySelector('.toggle').getAttribute('aria-pressed')`))
}

// An event changes the rows that it names, and no others. The focus stays where it is.
func TestListChangesOnlyWhatChanged(t *testing.T) {
	w := newWorld(t)
	ash, birch := member("ash"), member("birch")
	var offices []*office
	for _, name := range []string{"billing", "orders", "reports"} {
		o := w.elect(name)
		o.enter(ash, time.Now())
		o.enter(birch, time.Now())
		o.claims(ash, time.Now())
		offices = append(offices, o)
	}
	p := open(t, w.serve().URL)
	p.waits(rows + ` === 3`)
	eval[any](p, `(() => {
		const all = [...document.querySelectorAll('.elections tbody tr')];
		globalThis.before = all;
		globalThis.changes = new Set();
		all[1].querySelector('a').focus();
		new MutationObserver((list) => {
			for (const m of list) {
				const row = (m.target.closest ? m.target : m.target.parentElement).closest('tr');
				if (row && m.target.closest?.('.c-leader')) changes.add(row.querySelector('a').innerText);
			}
		}).observe(document.querySelector('tbody'), { subtree: true, childList: true });
		return null;
	})()`)
	offices[1].resigns(time.Now())
	offices[1].claims(birch, time.Now())
	p.waits(`document.querySelector('tbody').innerText.includes('birch')`)
	require.Equal(t, []string{"orders"}, eval[[]string](p, `[...changes]`))
	require.True(t, eval[bool](p, `before.every((row) => row.isConnected)`), "no row is made again")

	offices[1].resigns(time.Now())
	p.waits(`document.querySelector('.elections tbody tr').innerText.includes('no leader')`)
	require.Equal(t, "orders", eval[string](p, `document.activeElement.innerText`), "the row that moved has the focus")
	require.Equal(t, "orders has no leader", eval[string](p, `document.querySelector('#announce').innerText.replace(/[\u2068\u2069]/g, '')`))
}

// A thousand elections renew all the time, and the page stays quick: it renders only what has changed.
func TestListOfAThousand(t *testing.T) {
	w := newWorld(t)
	ash := member("ash")
	var offices []*office
	for i := range 1000 {
		o := w.elect(fmt.Sprintf("service-%03d", i))
		o.enter(ash, time.Now())
		o.claims(ash, time.Now())
		offices = append(offices, o)
	}
	p := open(t, w.serve().URL)
	p.waits(rows + ` === 1000`)
	eval[any](p, `(() => {
		globalThis.busy = 0;
		new PerformanceObserver((list) => { for (const e of list.getEntries()) busy += e.duration; }).observe({ entryTypes: ['longtask'] });
		return null;
	})()`)
	begin := time.Now()
	for range 3 {
		for i := 0; i < len(offices); i += 100 {
			require.NoError(t, w.Transact(t.Context(), func(tr kv.Transaction) error {
				now := time.Now()
				for _, o := range offices[i : i+100] {
					if _, err := o.RunElectionCycle(tr, ash, now, election.WithObservation(election.Observation{}, now)); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		p.waits(`document.querySelectorAll('.elections tr[data-level="ok"]').length === 1000`)
		eval[any](p, `document.querySelectorAll('.elections tr[data-level]').forEach((r) => r.setAttribute('data-level', '')), null`)
	}
	took, busy := time.Since(begin), eval[float64](p, `busy`)
	t.Logf("3000 renewals in %v, with tasks longer than 50 ms for %.0f ms", took, busy)
	require.Less(t, busy, 5000.0)
}
