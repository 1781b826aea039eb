package terminal

import (
	"strings"
	"time"
	"unicode"

	"github.com/rivo/uniseg"
)

// bar shows how much is left of a whole.
func Bar(left, whole time.Duration, width int, paint, rest func(string) string) Row {
	width = max(width, 1)
	full := min(max(int((int64(left)*int64(width)+int64(whole)-1)/int64(max(whole, 1))), 0), width)
	return Row{}.Add(strings.Repeat("█", full), paint).Add(strings.Repeat("░", width-full), rest)
}

// span is a piece of a row: text, and how to paint it.
type span struct {
	text  string
	paint func(string) string
}

// row is one line of a screen.
type Row []span

func (r Row) Add(text string, paint func(string) string) Row { return append(r, span{text, paint}) }

// cut returns a row as a terminal may have it: no wider than its columns, and
// without anything that the terminal would obey but its own colours.
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

// cutText returns what of a text fits into columns, and how many it takes. What
// cannot be printed becomes a question mark: it should not have come this far.
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

// padded is a text in a column of a width, a blank more than which is between
// columns.
func Padded(text string, width int) string {
	text, used := CutText(text, width)
	return text + strings.Repeat(" ", width-used+2)
}
