package terminal

import (
	"strings"
	"time"
	"unicode"

	"github.com/rivo/uniseg"
)

// Bar shows how much of whole is left.
func Bar(left, whole time.Duration, width int, paint, rest func(string) string) Row {
	width = max(width, 1)
	full := min(max(int((int64(left)*int64(width)+int64(whole)-1)/int64(max(whole, 1))), 0), width)
	return Row{}.Add(strings.Repeat("█", full), paint).Add(strings.Repeat("░", width-full), rest)
}

// span is a part of a row: text and how to paint it.
type span struct {
	text  string
	paint func(string) string
}

// Row is one line of a screen.
type Row []span

// Add appends a text to a row.
func (r Row) Add(text string, paint func(string) string) Row { return append(r, span{text, paint}) }

// Cut returns a row as text: no wider than columns, and with no control characters besides
// its own colours.
func (r Row) Cut(columns int) string {
	var line strings.Builder
	for _, s := range r {
		text, used := CutText(s.text, columns)
		columns -= used
		if s.paint != nil && text != "" {
			text = s.paint(text)
		}
		line.WriteString(text)
	}
	return line.String()
}

// CutText returns the part of a text that fits into columns, and its width. Characters
// that are not printable become question marks. Callers should have escaped them before.
func CutText(text string, columns int) (fits string, used int) {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
	var kept strings.Builder
	for g := uniseg.NewGraphemes(text); g.Next(); {
		if used+g.Width() > columns {
			break
		}
		used += g.Width()
		kept.WriteString(g.Str())
	}
	return kept.String(), used
}

// Padded returns a text that is cut or padded to a width, and two spaces after it.
func Padded(text string, width int) string {
	text, used := CutText(text, width)
	return text + strings.Repeat(" ", width-used+2)
}
