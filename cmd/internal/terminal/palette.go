package terminal

import (
	"io"
	"os"

	"golang.org/x/term"
)

// isTerminal reports whether a writer is a terminal that obeys escape sequences.
func IsTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
}

// palette paints text, on a terminal that can show it.
type Palette struct{ On bool }

// paletteFor returns colours for a terminal, unless NO_COLOR is set or the
// terminal is known to be dumb, and none for anything else.
func PaletteFor(w io.Writer) Palette {
	return Palette{On: os.Getenv("NO_COLOR") == "" && IsTerminal(w)}
}

func (p Palette) paint(code, text string) string {
	if !p.On {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p Palette) Bold(text string) string { return p.paint("1", text) }
func (p Palette) Dim(text string) string  { return p.paint("2", text) }
func (p Palette) Good(text string) string { return p.paint("32", text) }
func (p Palette) Warn(text string) string { return p.paint("33", text) }
func (p Palette) Bad(text string) string  { return p.paint("31", text) }

// sizeOf asks a terminal for its size, each time: a reader may change it.
func SizeOf(w io.Writer) func() (columns, rows int) {
	return func() (columns, rows int) {
		if file, ok := w.(*os.File); ok {
			if columns, rows, err := term.GetSize(int(file.Fd())); err == nil && columns > 0 && rows > 0 {
				return columns, rows
			}
		}
		return 80, 24
	}
}
