package browsertest

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// axe returns the source of axe-core. .ci/browser installs it and sets the variable.
func axe(t *testing.T) string {
	t.Helper()
	path := os.Getenv("FDBELECTION_AXE")
	if path == "" && !required {
		t.Skip("axe-core is not installed: run .ci/browser")
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err, "FDBELECTION_AXE must be the path of axe.min.js")
	return string(text)
}

// violations runs all rules of axe-core, and returns what each says against the page.
func (p *tab) violations(source string) []string {
	p.t.Helper()
	_, err := chromedp.Run(p.ctx, chromedp.Evaluate[any](source+"; null"))
	require.NoError(p.t, err)
	return eval[[]string](p, `axe.run().then((r) => {
		if (r.passes.length < 20) throw new Error('axe has checked little: ' + r.passes.length);
		return r.violations.map((v) => v.id + ': ' + v.help + '\n' + v.nodes.map((n) => n.html + '\n  ' + n.failureSummary).join('\n'));
	})`)
}

// Every state of the page is accessible: in both themes, on a screen and on a phone.
func TestAccessibility(t *testing.T) {
	source := axe(t)
	w := lively(t)
	s := w.serve()
	nothing := newWorld(t)
	bare := nothing.serve()
	away := newWorld(t)
	away.elect("orders")
	gone := away.serve()
	for name, set := range map[string][]func(*viewport){
		"light": nil, "dark": {inDark}, "phone": {onPhone},
	} {
		t.Run(name, func(t *testing.T) {
			for what, one := range map[string]struct{ url, ready string }{
				"list":     {s.URL, `document.querySelectorAll('.elections tbody tr').length > 5`},
				"election": {s.URL + "/election?name=orders", `document.querySelectorAll('.candidates tbody tr').length > 2 && document.querySelector('.line .bar')`},
				"damaged":  {s.URL + "/election?name=ledger", `document.querySelector('.notices li')`},
				"vacant":   {s.URL + "/election?name=reports", `document.querySelector('#leader')?.innerText === 'No leader'`},
				"empty":    {bare.URL, `document.querySelector('.empty')?.innerText.includes('fdbelect init')`},
				"group":    {s.URL + "/group?name=indexer", `document.querySelectorAll('.members tbody tr').length === 3 && document.querySelector('.area')`},
				"no group": {bare.URL + "/group?name=x", `document.querySelector('main').innerText.includes('There is no group')`},
				"missing":  {bare.URL + "/election?name=x", `document.querySelector('main').innerText.includes('There is no election')`},
			} {
				p := open(t, one.url, set...)
				_, err := chromedp.Call(p.ctx, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true})
				require.NoError(t, err)
				require.NoError(t, chromedp.Do(p.ctx, chromedp.Reload()))
				p.waits(one.ready)
				eval[any](p, `document.querySelector('details')?.setAttribute('open', '')`)
				require.Empty(t, strings.Join(p.violations(source), "\n\n"), what)
				p.requireFits(what)
				p.close()
			}
		})
	}
	t.Run("away", func(t *testing.T) {
		p := open(t, gone.URL+"/election?name=orders")
		_, err := chromedp.Call(p.ctx, page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true})
		require.NoError(t, err)
		require.NoError(t, chromedp.Do(p.ctx, chromedp.Reload()))
		p.waits(`document.querySelector('#leader')`)
		away.down.Store(true)
		p.waits(`!document.querySelector('#banner').hidden`)
		require.Empty(t, strings.Join(p.violations(source), "\n\n"))
	})
}

// Everything that can be clicked is reached by Tab, in the order of the page, with a visible focus.
func TestKeyboard(t *testing.T) {
	w := lively(t)
	s := w.serve()
	for _, address := range []string{s.URL, s.URL + "/election?name=orders", s.URL + "/group?name=indexer"} {
		p := open(t, address)
		p.waits(`document.querySelector('tbody tr')`)
		want := eval[int](p, `(globalThis.reach = () => [...document.querySelectorAll('a, button, input, summary, [tabindex="0"]')].filter((e) => e.checkVisibility()))().length`)
		require.Greater(t, want, 5)
		seen := map[int]bool{}
		for range want {
			p.types("\t")
			i := eval[int](p, `reach().indexOf(document.activeElement)`)
			require.NotContains(t, seen, i, "%s: Tab has stopped", address)
			require.GreaterOrEqual(t, i, 0)
			require.NotEqual(t, "none", eval[string](p, `getComputedStyle(document.activeElement).outlineStyle`), "the focus is visible")
			seen[i] = true
		}
		require.Len(t, seen, want)
	}
}

// A page in the background lets its connection go, since a browser has only six to one server. On the
// screen again, it goes on at once.
func TestHiddenPagePauses(t *testing.T) {
	w := newWorld(t)
	ash, birch := member("ash"), member("birch")
	o := w.elect("orders")
	o.enter(ash, time.Now())
	o.enter(birch, time.Now())
	o.claims(ash, time.Now())
	p := open(t, w.serve().URL+"/election?name=orders")
	p.waits(`document.querySelector('#leader')?.innerText === 'ash'`)
	hide := func(hidden bool) {
		eval[any](p, fmt.Sprintf(`(() => {
			Object.defineProperty(document, 'hidden', { value: %t, configurable: true });
			document.dispatchEvent(new Event('visibilitychange'));
			return null;
		})()`, hidden))
	}
	eval[any](p, `(() => { const real = setTimeout; globalThis.setTimeout = (call, ms) => real(call, ms === 20000 ? 1 : ms); return null; })()`)
	hide(true)
	p.waits(`document.querySelector('#link-text').textContent === 'paused'`)
	require.True(t, eval[bool](p, `document.body.classList.contains('stale')`))
	o.resigns(time.Now())
	o.claims(birch, time.Now())
	hide(false)
	p.waits(`document.querySelector('#leader').innerText === 'birch' && document.querySelector('#link-text').textContent === 'live'`)
}
