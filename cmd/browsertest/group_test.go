package browsertest

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/serve"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

// pool makes a group with shards. Its members act only when the test says so.
func (w *world) pool(name string, shards ...string) *clitest.Pool {
	w.t.Helper()
	p := &clitest.Pool{T: w.t, Database: w.Database, Group: group.New(root.Sub(name)), Members: map[string]*group.Member{}}
	p.Does(func(tr kv.Transaction) error { _, err := p.Initialize(tr, group.DefaultConfig()); return err })
	if len(shards) > 0 {
		p.Does(func(tr kv.Transaction) error { _, err := p.CreateShards(tr, shards, time.Now()); return err })
	}
	return p
}

// numbered are names of shards.
func numbered(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("shard-%02d", i)
	}
	return all
}

// leaves ends the session of a member. Its shards are free then.
func leaves(p *clitest.Pool, id string) {
	p.T.Helper()
	p.Does(func(tr kv.Transaction) error { return p.Leave(tr, p.Members[id].Identity) })
}

const groupRows = `document.querySelectorAll('.groups tbody tr').length`

// The list shows groups below the elections, or alone.
func TestListOfGroups(t *testing.T) {
	w := newWorld(t)
	p := open(t, w.serve().URL)
	p.waits(`document.querySelector('.empty')?.innerText.includes('fdbelect group create')`)
	indexer := w.pool("indexer", numbered(4)...)
	p.waits(groupRows + ` === 1`)
	require.Equal(t, "Groups", p.text("h1"))
	require.Equal(t, "1 problem in 1 group - fdbelect", eval[string](p, "document.title"))
	require.Contains(t, p.text(".groups tbody tr"), "no members")

	indexer.Joins("ash")
	indexer.Claims("ash", numbered(4)...)
	defer indexer.Lives("ash")()
	p.waits(`document.querySelector('.groups tbody tr').innerText.includes('balanced')`)
	require.Contains(t, p.text("#summary"), "1 group, no problem")
	o := w.elect("orders")
	o.enter(member("ash"), time.Now())
	p.waits(rows + ` === 1`)
	require.Equal(t, "Elections and groups", p.text("h1"))
	require.Contains(t, p.text("#summary"), "1 election, 1 without a leader, 1 group")

	p.press("/", "/")
	p.types("index")
	p.waits(rows + ` === 0 && ` + groupRows + ` === 1`)
	eval[any](p, `document.querySelector('.groups a').click()`)
	p.waits(`document.querySelector('#group-name')?.innerText === 'indexer'`)
}

// The page of a group shows the members and their load, and what happens, without a reload.
func TestGroup(t *testing.T) {
	w := newWorld(t)
	s := w.serve()
	p := open(t, s.URL+"/group?name=indexer")
	p.waits(`document.querySelector('main').innerText.includes('There is no group')`)
	indexer := w.pool("indexer", numbered(12)...)
	indexer.Joins("ash", func(m *group.Member) { m.Tags = map[string]string{"zone": "eu-1"} })
	indexer.Joins("birch")
	indexer.Claims("ash", numbered(12)[:6]...)
	indexer.Claims("birch", numbered(12)[6:]...)
	defer indexer.Lives("ash", "birch")()
	p.waits(`document.title === 'indexer: balanced - fdbelect'`)
	require.Equal(t, "12 shards", p.text("#shards"))
	require.Equal(t, []string{"6", "6"}, eval[[]string](p, `[...document.querySelectorAll('.load-text')].map((e) => e.innerText)`))
	require.Contains(t, p.plain(".members"), "zone=eu-1")
	require.Contains(t, p.plain("#loads-at"), "12 moves: 12 vacancy")
	p.waits(`document.querySelectorAll('.area').length > 2`)

	eval[any](p, `(() => {
		globalThis.said = [];
		new MutationObserver(() => said.push(document.querySelector('#announce').innerText)).observe(document.querySelector('#announce'), { childList: true, characterData: true, subtree: true });
		return null;
	})()`)
	p.waits(`(globalThis.from ??= Date.now()) < Date.now() - 2000`) // the picture has a part for each second
	leaves(indexer, "birch")
	p.waits(`document.querySelector('#state').innerText === '6 free'`)
	require.Equal(t, "! indexer: 6 free - fdbelect", eval[string](p, "document.title"))
	require.Contains(t, eval[string](p, `said.join('|').replace(/[\u2068\u2069]/g, '')`), "indexer: 6 free")
	require.Contains(t, p.text(".events-table"), "left")
	p.waits(`document.querySelector('.legend').innerText.includes('free')`)
	indexer.Claims("ash", numbered(12)[6:]...)
	p.waits(`document.querySelector('#state').innerText === 'balanced'`)
	p.waits(`document.querySelector('#loads-at').innerText.includes('6 expiry')`)

	// Keys go back to the time when birch led.
	eval[any](p, `document.querySelector('#loads').focus()`)
	for range 400 {
		if strings.Contains(p.text(".legend"), "birch\n6") {
			break
		}
		p.press("ArrowLeft", "")
	}
	require.Contains(t, p.text(".legend"), "birch\n6")
	require.Contains(t, eval[string](p, `document.querySelector('#loads').ariaValueText`), "UTC")
}

// The notices of a group say what is unusual.
func TestGroupNotices(t *testing.T) {
	w := newWorld(t)
	indexer := w.pool("indexer", numbered(4)...)
	p := open(t, w.serve().URL+"/group?name=indexer")
	notices := func(text string) {
		t.Helper()
		p.waits(fmt.Sprintf(`document.querySelector('.notices')?.innerText.replace(/[\u2068\u2069]/g, '').includes(%q)`, text))
	}
	notices("No process takes part in this group")
	indexer.Joins("ash", func(m *group.Member) { m.NotReady = "cache is cold" })
	notices("No member is ready")
	require.Contains(t, p.plain(".members"), "cache is cold")
	indexer.Does(func(tr kv.Transaction) error { return indexer.Drain(tr, "ash") })
	notices("1 drain")
	indexer.Spoils("shards", "shard-01")
	indexer.Does(func(tr kv.Transaction) error { // the log tells that something has changed
		config, err := indexer.ReadConfig(tr)
		if err == nil {
			config.Enabled = false
			_, err = indexer.WriteConfig(tr, config)
		}
		return err
	})
	notices("This group is disabled")
	eval[any](p, `location.reload()`)
	notices("The shard record cannot be read")
	require.Equal(t, "damaged", p.text("#state"))
}

// Shards are found by a part of their name, or if they are free, also if a token is needed.
func TestFindShards(t *testing.T) {
	w := newWorld(t)
	indexer := w.pool("indexer", numbered(60)...)
	indexer.Joins("ash")
	indexer.Claims("ash", numbered(60)[:58]...)
	const token = "0123456789abcdef"
	authorized := func(got string) bool { return got == token }
	p := open(t, w.serve(func(o *serve.Options) { o.Authorized = authorized }).URL+"/group?name=indexer")
	p.waits(`document.querySelector('#token') === document.activeElement`)
	p.types(token + "\r")
	p.waits(`document.querySelector('#shards')?.innerText === '60 shards'`)
	const found = `[...document.querySelectorAll('.shards tbody tr')]`
	eval[any](p, `document.querySelector('#shard').focus()`)
	p.types("-05")
	p.waits(found + `.length === 1`)
	require.Contains(t, p.text(".shards tbody"), "ash")
	p.types("x")
	p.waits(`document.querySelector('.s-find').innerText.includes('No shard has')`)
	eval[any](p, `(() => { const f = document.querySelector('#shard'); f.value = 'shard'; f.dispatchEvent(new Event('input')); return null; })()`)
	p.waits(found + `.length === 50 && document.querySelector('.s-find').innerText.includes('first 50')`)
	eval[any](p, `document.querySelector('.s-find .toggle').click()`)
	p.waits(found + `.length === 2 && ` + found + `.every((row) => row.innerText.includes('free'))`)
	p.problems = nil // the first request had no token
}

// Names of groups, shards and members, tags and reasons of any kind are shown as text.
func TestHostileGroups(t *testing.T) {
	w := newWorld(t)
	names := append(append([]string{}, hostile...), controls...)
	indexer := w.pool(hostile[1], hostile...)
	for i, id := range hostile {
		indexer.Joins(id, func(m *group.Member) {
			m.Tags = map[string]string{names[i%len(names)]: strings.Join(names, "|"), "<b>": "<i>"}
			if i%2 == 0 {
				m.NotReady = "<img src=x onerror=alert(1)>" + id[:min(len(id), 100)]
			}
		})
		if i%2 == 1 {
			indexer.Claims(id, id, hostile[i-1])
		}
		indexer.Does(func(tr kv.Transaction) error { return indexer.Pin(tr, id, id) })
	}
	for _, name := range names {
		w.pool(name + ".")
	}
	s := w.serve()
	for _, device := range []func(*viewport){func(*viewport) {}, onPhone} {
		p := open(t, s.URL, device)
		p.waits(fmt.Sprintf(`%s === %d`, groupRows, len(names)+1))
		p.requireUntouched()
		p.close()
		p = open(t, s.URL+"/group?name="+url.QueryEscape(hostile[1]), device)
		p.waits(fmt.Sprintf(`document.querySelectorAll('.members tbody tr').length === %d`, len(hostile)))
		eval[any](p, `(() => { const f = document.querySelector('#shard'); f.value = 'o'; f.dispatchEvent(new Event('input')); return null; })()`)
		p.waits(`document.querySelector('.shards tbody tr')`)
		eval[any](p, `document.querySelector('#loads').focus()`)
		p.press("Home", "")
		p.requireUntouched()
		require.Equal(t, p.visible(hostile[1]), eval[string](p, `document.querySelector('#group-name').textContent`))
		p.close()
	}
}
