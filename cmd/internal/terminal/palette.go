package terminal

import (
	"io"
	"os"

	"golang.org/x/term"
)

// IsTerminal reports whether a writer is a terminal that understands escape sequences.
func IsTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb" && os.Getenv("TERM") != ""
}

// Palette paints text if it is on.
type Palette struct{ On bool }

// PaletteFor returns a palette that is on if the writer is a terminal and NO_COLOR is not
// set.
func PaletteFor(w io.Writer) Palette {
	return Palette{On: os.Getenv("NO_COLOR") == "" && IsTerminal(w)}
}

func (p Palette) paint(code, text string) string {
	if !p.On {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold makes a text bold.
func (p Palette) Bold(text string) string { return p.paint("1", text) }

// Dim makes a text dim.
func (p Palette) Dim(text string) string { return p.paint("2", text) }

// Good makes a text green.
func (p Palette) Good(text string) string { return p.paint("32", text) }

// Warn makes a text yellow.
func (p Palette) Warn(text string) string { return p.paint("33", text) }

// Bad makes a text red.
func (p Palette) Bad(text string) string { return p.paint("31", text) }

// SizeOf returns a function that asks a terminal for its size. The size may change at any
// time.
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
