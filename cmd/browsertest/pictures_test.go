package browsertest

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestPictures writes the pictures of docs/pictures. `make screenshots` runs it.
func TestPictures(t *testing.T) {
	directory := os.Getenv("FDBELECTION_PICTURES")
	if directory == "" {
		t.Skip("make screenshots writes the pictures")
	}
	w := lively(t)
	w.livelyGroup("crawler", func() { time.Sleep(12 * time.Second) }) // so that there is something to see
	s := w.serve()
	election, group := s.URL+"/election?name=orders", s.URL+"/group?name=crawler"
	const (
		listed = `document.querySelectorAll('.elections tr[data-level="ok"]').length >= 9`
		pooled = `document.querySelectorAll('.members tbody tr').length === 3 && document.querySelectorAll('.area').length > 3`
		shown  = `document.querySelector('#state')?.innerText === 'leads' && document.querySelectorAll('.candidates tbody tr').length === 5 && document.querySelector('.line .bar')`
	)
	for _, one := range []struct {
		file, url, ready string
		phone            bool
		set              []func(*viewport)
	}{
		{"list-light", s.URL, listed, false, nil},
		{"list-dark", s.URL, listed, false, []func(*viewport){inDark}},
		{"election-light", election, shown, false, nil},
		{"election-dark", election, shown, false, []func(*viewport){inDark}},
		{"group-light", group, pooled, false, nil},
		{"group-dark", group, pooled, false, []func(*viewport){inDark}},
		{"list-phone", s.URL, listed, true, []func(*viewport){onPhone, sharp}},
		{"election-phone", election, shown, true, []func(*viewport){onPhone, sharp, inDark}},
	} {
		p := open(t, one.url, one.set...)
		p.waits(one.ready)
		p.waits(`[...document.querySelectorAll('.lease-text')].every((e) => !e.innerText.startsWith('expired'))`)
		// A picture ends where a section or a row does.
		if one.url == group { // each band has a time in which it was at rest
			p.waits(`document.querySelector('#loads-at').innerText.includes('expiry')`)
		}
		height := eval[int64](p, `Math.ceil((document.querySelector('.s-find h2, .s-events h2')?.getBoundingClientRect().top ?? document.body.scrollHeight + 16) - 14)`)
		width, scale := int64(wide), 1.0
		if one.phone {
			width, scale = phone, 2
			height = eval[int64](p, `Math.round((document.querySelector('#inspector') ?? document.querySelectorAll('.elections tbody tr')[6]).getBoundingClientRect().bottom)`)
		}
		require.NoError(t, chromedp.Do(p.ctx, chromedp.EmulateViewport(width, height, chromedp.EmulateScale(scale))))
		picture, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(directory, one.file+".png"), picture, 0o644)) //nolint:gosec // a picture for everyone
		p.close()
	}
}
