package browsertest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestPictures writes the pictures of docs/pictures. `make screenshots` runs it.
func TestPictures(t *testing.T) {
	directory := os.Getenv("FDBELECTION_PICTURES")
	if directory == "" {
		t.Skip("make screenshots writes the pictures")
	}
	s := lively(t).serve()
	election := s.URL + "/election?name=orders"
	const (
		listed = `document.querySelectorAll('.elections tr[data-level="ok"]').length >= 9`
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
		{"list-phone", s.URL, listed, true, []func(*viewport){onPhone, sharp}},
		{"election-phone", election, shown, true, []func(*viewport){onPhone, sharp, inDark}},
	} {
		p := open(t, one.url, one.set...)
		p.waits(one.ready)
		p.waits(`[...document.querySelectorAll('.lease-text')].every((e) => !e.innerText.startsWith('expired'))`)
		// A picture ends where a section or a row does.
		height := eval[int64](p, `Math.ceil((document.querySelector('.s-events h2')?.getBoundingClientRect().top ?? document.body.scrollHeight + 16) - 14)`)
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
