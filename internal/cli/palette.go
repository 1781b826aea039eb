package cli

import (
	"io"
	"os"
)

// palette paints text, on a terminal that can show it.
type palette struct{ on bool }

// paletteFor returns colours for a terminal, unless NO_COLOR is set or the
// terminal is known to be dumb, and none for anything else.
func paletteFor(w io.Writer) palette {
	file, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == "" {
		return palette{}
	}
	info, err := file.Stat()
	return palette{on: err == nil && info.Mode()&os.ModeCharDevice != 0}
}

func (p palette) paint(code, text string) string {
	if !p.on {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p palette) bold(text string) string { return p.paint("1", text) }
func (p palette) dim(text string) string  { return p.paint("2", text) }
func (p palette) good(text string) string { return p.paint("32", text) }
