package browsertest

import (
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/serve"
)

// The store goes away and comes back. The page says so, and its clocks stand still meanwhile.
func TestStoreAway(t *testing.T) {
	w := newWorld(t)
	ash, birch := member("ash"), member("birch")
	o := w.elect("orders")
	o.enter(ash, time.Now())
	o.enter(birch, time.Now())
	o.claims(ash, time.Now())
	s := w.serve()
	p, list := open(t, s.URL+"/election?name=orders"), open(t, s.URL)
	pages := []*tab{p, list}
	for _, one := range pages {
		one.waits(`document.querySelector('#link-text').innerText === 'live'`)
		require.True(t, eval[bool](one, `document.querySelector('#banner').hidden`))
	}
	w.down.Store(true)
	for _, one := range pages {
		one.waits(`!document.querySelector('#banner').hidden`)
		require.Equal(t, "not live", one.text("#link-text"))
		require.Contains(t, one.text("#banner"), "The store is away since")
		require.Contains(t, one.text("#banner"), "no coordinator answers <b>at all</b>")
		require.Equal(t, "unknown", one.text(".lease-text"))
		one.waits(`/For [1-9] s now/.test(document.querySelector('#banner').innerText)`)
	}
	require.Equal(t, "! Not live: ash leads orders - fdbelect", eval[string](p, `document.title`))
	require.Equal(t, "ash", p.text("#leader"), "what was known is still there")
	before := p.text(".age")
	p.waits(`/For [3-9] s now/.test(document.querySelector('#banner').innerText)`)
	require.Equal(t, before, p.text(".age"), "the clocks of old data stand still")

	o.resigns(time.Now())
	o.claims(birch, time.Now())
	w.down.Store(false)
	for _, one := range pages {
		one.waits(`document.querySelector('#banner').hidden && document.querySelector('#link-text').innerText === 'live'`)
		one.waits(`document.querySelector('main').innerText.includes('birch')`)
		require.NotEqual(t, "unknown", one.text(".lease-text"))
		require.False(t, eval[bool](one, `document.body.classList.contains('stale')`))
	}
	p.waits(`document.title === 'birch leads orders - fdbelect'`)
}

// A page that is opened while the store is away does not say that there is nothing.
func TestStoreAwayFromTheStart(t *testing.T) {
	w := newWorld(t)
	w.down.Store(true)
	s := w.serve()
	p, list := open(t, s.URL+"/election?name=orders"), open(t, s.URL)
	for _, one := range []*tab{p, list} {
		one.waits(`!document.querySelector('#banner').hidden`)
	}
	require.NotContains(t, p.text("main"), "There is no election")
	require.NotContains(t, list.text("main"), "There is no election")
	w.down.Store(false)
	p.waits(`document.querySelector('main').innerText.includes('There is no election')`)
	list.waits(`document.querySelector('main').innerText.includes('There is no election')`)
}

// The server goes away and comes back, and the page with it.
func TestServerAway(t *testing.T) {
	w := newWorld(t)
	ash, birch := member("ash"), member("birch")
	o := w.elect("orders")
	o.enter(ash, time.Now())
	o.enter(birch, time.Now())
	o.claims(ash, time.Now())
	s := w.serve()
	p := openAnyway(t, s.URL+"/election?name=orders")
	p.waits(`document.querySelector('#leader').innerText === 'ash'`)
	address := s.Listener.Addr().String()
	stop(s)
	p.waits(`document.querySelector('#banner').innerText.includes('No connection to the server')`)
	p.waits(`document.body.classList.contains('stale')`)

	o.resigns(time.Now())
	o.claims(birch, time.Now())
	again := httptest.NewUnstartedServer(s.Config.Handler)
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", address)
	require.NoError(t, err)
	again.Listener.Close()
	again.Listener = l
	again.Start()
	defer stop(again)
	p.waits(`document.querySelector('#banner').hidden && document.querySelector('#leader').innerText === 'birch'`)
}

// With a token file the page asks for the token, once for each tab.
func TestToken(t *testing.T) {
	w := newWorld(t)
	w.elect("orders")
	s := w.serve(func(o *serve.Options) { o.Authorized = func(token string) bool { return token == "s3cret" } })
	p := openAnyway(t, s.URL)
	p.waits(`document.querySelector('dialog[open] input[type=password]') === document.activeElement`)
	p.types("wrong")
	p.press("Enter", "\r")
	p.waits(`document.querySelector('dialog[open]')?.innerText.includes('did not accept')`)
	p.types("s3cret")
	p.press("Enter", "\r")
	p.waits(rows + ` === 1`)
	require.True(t, eval[bool](p, `document.querySelector('dialog') === null`))
	require.Empty(t, eval[string](p, `location.search + location.hash + document.cookie`))
	eval[any](p, `setTimeout(() => document.querySelector('.elections a').click())`) // it returns before the page goes
	p.waits(`document.querySelector('#state')?.innerText === 'no leader'`)
}
