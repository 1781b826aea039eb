package browsertest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

const (
	light, dark = "light", "dark"
	wide, phone = 1200, 360

	// patience is how long a test waits for what must come.
	patience = 20 * time.Second
)

// browser is shared by all tests. Each has a tab of its own.
var browser context.Context

// required says that a missing browser is a failure. .ci/browser sets it.
var required = os.Getenv("FDBELECTION_BROWSER") == "required"

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	path, err := exec.LookPath("chromium")
	if err != nil {
		if required {
			fmt.Fprintln(os.Stderr, "chromium is not installed:", err)
			return 1
		}
		return m.Run() // each test is skipped
	}
	profile, err := os.MkdirTemp("", "fdbelection-browser-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(profile)
	options := append(chromedp.DefaultExecAllocatorOptions[:], //nolint:gocritic // a copy is meant
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	defer stop()
	ctx, end := chromedp.NewContext(allocator)
	defer end()
	if err := chromedp.Do(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "chromium does not start:", err)
		return 1
	}
	browser = ctx
	return m.Run()
}

// tab is a tab of the browser, and what the page in it has done.
type tab struct {
	t   *testing.T
	ctx context.Context

	address string
	width   int64
	end     func()
	closed  bool

	mu       sync.Mutex
	problems []string        // errors and warnings on the console, and violations of the policy
	hosts    map[string]bool // to which the page has sent requests
}

// viewport is how the page is shown.
type viewport struct {
	width int64
	theme string
	scale float64
}

// open opens a page in a new tab. At the end of the test the page must have caused no error, and
// no request to another host.
func open(t *testing.T, address string, set ...func(*viewport)) *tab {
	t.Helper()
	p := openAnyway(t, address, set...)
	t.Cleanup(func() {
		if !p.closed {
			p.requireClean(address)
		}
	})
	p.address = address
	return p
}

// openAnyway is open, for a test in which the page cannot reach its server.
func openAnyway(t *testing.T, address string, set ...func(*viewport)) *tab {
	t.Helper()
	if browser == nil {
		t.Skip("chromium is not installed: apt-get install chromium, or run .ci/browser")
	}
	v := viewport{width: wide, theme: light, scale: 1}
	for _, one := range set {
		one(&v)
	}
	ctx, end := chromedp.NewContext(browser)
	t.Cleanup(end)
	p := &tab{t: t, ctx: ctx, end: end, width: v.width, hosts: map[string]bool{}}
	require.NoError(t, chromedp.Do(ctx))
	require.NoError(t, chromedp.Listen(ctx, p.note))
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	_, err = chromedp.Call(ctx, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: watchPolicy})
	require.NoError(t, err)
	_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: v.theme}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	require.NoError(t, err)
	mobile := func(*emulation.SetDeviceMetricsOverrideParams, *emulation.SetTouchEmulationEnabledParams) {}
	if v.width <= phone {
		mobile = chromedp.EmulateMobile
	}
	require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(v.width, 900, chromedp.EmulateScale(v.scale), mobile), chromedp.Navigate(address)))
	return p
}

// close closes a tab before the end of the test. A browser has six connections to one server.
func (p *tab) close() {
	p.t.Helper()
	p.requireClean(p.address)
	p.closed = true
	p.end()
}

func onPhone(v *viewport) { v.width = phone }
func inDark(v *viewport)  { v.theme = dark }
func sharp(v *viewport)   { v.scale = 2 }

// watchPolicy reports violations of the content security policy.
const watchPolicy = `addEventListener('securitypolicyviolation', (e) => console.error('policy:', e.violatedDirective, e.blockedURI))`

// note takes an event of the browser.
func (p *tab) note(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		texts := []string{string(e.Type)}
		for _, a := range e.Args {
			texts = append(texts, string(a.Value), a.Description)
		}
		p.problems = append(p.problems, strings.Join(texts, " "))
	case *runtime.EventExceptionThrown:
		text := e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
		p.problems = append(p.problems, text)
	case *log.EventEntryAdded:
		p.problems = append(p.problems, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil {
			p.hosts[u.Host] = true
		}
	}
}

// requireClean fails the test if the console has a message, or if a request went elsewhere.
func (p *tab) requireClean(address string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Empty(p.t, p.problems, "the console must be empty")
	u, err := url.Parse(address)
	require.NoError(p.t, err)
	require.Equal(p.t, map[string]bool{u.Host: true}, p.hosts, "requests leave the host")
}

// eval evaluates an expression in the page.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(p.t, err, expression)
	return value
}

// waits waits until an expression is true in the page.
func (p *tab) waits(expression string) {
	p.t.Helper()
	p.waitsFor(patience, expression)
}

// waitsFor is waits, with a limit.
func (p *tab) waitsFor(limit time.Duration, expression string) {
	p.t.Helper()
	end := time.Now().Add(limit)
	ctx, cancel := context.WithTimeout(p.ctx, limit+time.Second)
	defer cancel()
	poll := func() error {
		_, err := chromedp.Run(ctx, chromedp.Poll[bool]("!!("+expression+")", chromedp.WithPollingInterval(20*time.Millisecond), chromedp.WithPollingTimeout(time.Until(end))))
		return err
	}
	err := poll()
	for followed(err) && time.Now().Before(end) {
		err = poll()
	}
	require.NoError(p.t, err, "%s\nthe page says: %.600s", expression, p.text("main"))
}

// followed reports whether an evaluation failed because a link was followed meanwhile.
func followed(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "context with specified id") || strings.Contains(err.Error(), "target navigated"))
}

// requireFits fails the test if the page is wider than the screen. innerWidth does not tell, since
// a phone shows a wide page smaller.
func (p *tab) requireFits(what string) {
	p.t.Helper()
	require.LessOrEqual(p.t, eval[int64](p, `document.documentElement.scrollWidth`), p.width, "%s must not scroll sideways", what)
}

// text returns the text of an element.
func (p *tab) text(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf("document.querySelector(%q)?.innerText ?? '(none)'", selector))
}

// types sends the keys of a text to the element that has the focus.
func (p *tab) types(text string) {
	p.t.Helper()
	require.NoError(p.t, chromedp.Do(p.ctx, chromedp.KeyEvent(text)))
}

// press presses one key. Unlike types, it types no character if the page prevents that.
func (p *tab) press(key, text string) {
	p.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		_, err := chromedp.Call(p.ctx, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: kind, Key: key, Text: text})
		require.NoError(p.t, err)
		text = ""
	}
}
