//go:build linux

package rehearsal

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// graph returns the address of a page of Prometheus with the graphs of queries, over the rehearsal so far.
func (w *world) graph(exprs ...string) string {
	var params []string
	for i, expr := range exprs {
		params = append(params, fmt.Sprintf("g%d.expr=%s&g%d.tab=0&g%d.step_input=1&g%d.range_input=%ds", i, url.QueryEscape(expr), i, i, i, int(time.Since(w.began).Seconds())))
	}
	return w.url + "/classic/graph?" + strings.Join(params, "&")
}

// picture writes a picture of a page into the folder that REHEARSAL_PICTURES names, with Chromium
// and pngquant. Without the variable it does nothing: the checks do not need pictures.
func (w *world) picture(name, page string, height int) {
	w.t.Helper()
	folder := os.Getenv("REHEARSAL_PICTURES")
	if folder == "" {
		return
	}
	file := filepath.Join(folder, name+".png")
	output, err := exec.CommandContext(w.t.Context(), "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
		"--user-data-dir="+w.t.TempDir(), "--virtual-time-budget=10000", fmt.Sprintf("--window-size=1200,%d", height), "--screenshot="+file, page).CombinedOutput()
	require.NoError(w.t, err, string(output))
	output, err = exec.CommandContext(w.t.Context(), "pngquant", "--force", "--skip-if-larger", "--ext", ".png", "64", file).CombinedOutput()
	require.NoError(w.t, err, string(output))
}
