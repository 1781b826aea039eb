package browsertest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// hostile are names that would do harm, if they were more than text.
var hostile = []string{
	`<img src=x onerror="document.title='broken'">`,
	`"><script>document.title='broken'</script>`,
	`javascript:document.title='broken'`,
	`</bdi></main><style>*{display:none}</style>`,
	"ab\u202etxt.exe\u2066 rtl",
	"שלום עולם (1)",
	"z\u0310\u0301\u0302\u0303\u0304\u0305\u0306\u0307\u0308\u0309\u030a\u030b\u030c\u030d\u030e\u030falgo",
	strings.Repeat("W", 250),
	`__proto__`,
	`constructor`,
	`{{7*7}} ${7*7} %s %00 ../../etc/passwd?a=b&c=d#e`,
	` `,
}

// controls can be in names of elections and in tags, and not in ids.
var controls = []string{"bell\x07 escape\x1b[31m red", "line\nbreak\ttab\r\x00nul", "\u2028separators\u2029"}

// untouched are what no text from the store may change.
const untouched = `({
	title: document.title !== 'broken',
	images: [...document.images].every((i) => i.src.endsWith('/page/icon.svg')),
	scripts: document.scripts.length === 1,
	styles: document.querySelectorAll('style').length === 0,
	handlers: [...document.querySelectorAll('*')].every((e) => e.getAttributeNames().every((n) => !n.startsWith('on'))),
	links: [...document.links].every((a) => a.protocol === 'http:' && a.host === location.host),
	unseen: !/[\u202a-\u202e\u2066\u2067\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/.test(document.body.textContent),
	attributes: [...document.querySelectorAll('[title], [aria-label], [aria-valuetext]')].every((e) => !/[\u202a-\u202e\u2066\u2067\u0000-\u001f]/.test(e.title + e.ariaLabel + e.ariaValueText)),
})`

func (p *tab) requireUntouched() {
	p.t.Helper()
	for what, ok := range eval[map[string]bool](p, untouched) {
		require.True(p.t, ok, what)
	}
	p.requireFits("the page")
}

// visible is what the page makes of a text.
func (p *tab) visible(text string) string {
	p.t.Helper()
	quoted, err := json.Marshal(text)
	require.NoError(p.t, err)
	return eval[string](p, fmt.Sprintf(`import('/page/dom.js').then((dom) => dom.cut(dom.visible(%s), 120))`, quoted))
}

// Names, ids, tags and reasons of any kind are shown as text, on the list and for one election.
func TestHostileTexts(t *testing.T) {
	w := newWorld(t)
	names := append(append([]string{}, hostile...), controls...)
	for i, name := range names {
		o := w.elect(name)
		id := hostile[i%len(hostile)]
		me := member(id, func(r *election.Registration) {
			r.Metadata = map[string]string{name: strings.Join(names, "|"), "<b>": "<i>"}
		})
		other := member("<u>other</u>", func(r *election.Registration) {
			r.NotReady = "<img src=x onerror=alert(1)>" + name[:min(len(name), 200)]
		})
		o.enter(me, time.Now())
		o.enter(other, time.Now())
		o.claims(me, time.Now().Add(-time.Hour))
		o.resigns(time.Now().Add(-time.Minute))
		o.claims(me, time.Now())
		o.does(func(tr kv.Transaction) error {
			return o.RecordDuplicate(tr, me.Identity, election.Identity{ID: id, Incarnation: uuid.New()}, time.Now())
		})
	}
	s := w.serve()
	for _, device := range []func(*viewport){func(*viewport) {}, onPhone} {
		p := open(t, s.URL, device)
		p.waits(fmt.Sprintf(`%s === %d`, rows, len(names)))
		p.requireUntouched()
		for _, name := range names {
			require.Contains(t, eval[[]string](p, `[...document.querySelectorAll('.elections a')].map((a) => a.textContent)`), p.visible(name))
		}
		p.close()
	}
	for i, name := range names {
		device := func(*viewport) {}
		if i%2 == 0 {
			device = onPhone
		}
		p := open(t, s.URL+"/election?name="+url.QueryEscape(name), device)
		p.waits(`document.querySelectorAll('.candidates tbody tr').length === 2 && document.querySelectorAll('.events-table tbody tr').length === 4`)
		require.Equal(t, p.visible(hostile[i%len(hostile)]), eval[string](p, `document.querySelector('#leader').textContent`))
		require.Equal(t, p.visible(name), eval[string](p, `document.querySelector('#election-name').textContent`))
		eval[any](p, `document.querySelector('#timeline').focus()`)
		p.press("Home", "")
		p.requireUntouched()
		p.close()
	}
}

// What the page makes of texts.
func TestVisible(t *testing.T) {
	p := open(t, newWorld(t).serve().URL)
	p.waits(`document.querySelector('.empty').hidden === false`)
	for text, want := range map[string]string{
		"plain":      "plain",
		"a\u202eb":   `a\u{202e}b`,
		"a\x00\nb":   `a\u{0}\u{a}b`,
		" ":          `" "`,
		"":           `""`,
		"\u3000":     "\"\u3000\"",
		"日本 naïve 👍": "日本 naïve 👍",
	} {
		require.Equal(t, want, p.visible(text))
	}
	require.Len(t, []rune(p.visible(strings.Repeat("👍", 1000))), 120)
}
