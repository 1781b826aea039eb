//go:build linux

package rehearsal

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/stretchr/testify/require"
)

// graph returns the address of a page of Prometheus with the graph of a query, over the rehearsal so far.
func (w *world) graph(expr string) string {
	return fmt.Sprintf("%s/classic/graph?g0.expr=%s&g0.tab=0&g0.stacked=1&g0.step_input=1&g0.range_input=%ds",
		w.url, url.QueryEscape(expr), int(time.Since(w.began).Seconds()))
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
