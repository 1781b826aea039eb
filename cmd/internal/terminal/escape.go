package terminal

import (
	"fmt"
	"strings"
	"unicode"
)

// Escape replaces every character that is not printable, except line feeds.
func Escape(text string, escape func(rune) string) string {
	var safe strings.Builder
	for _, r := range text {
		if r == '\n' || unicode.IsPrint(r) {
			safe.WriteRune(r)
		} else {
			safe.WriteString(escape(r))
		}
	}
	return safe.String()
}

// SafeLines returns a text of several lines without characters that control a terminal.
// Names from outside should be safe already. This is the last check.
func SafeLines(text string) string {
	return Escape(text, func(r rune) string { return strings.Trim(fmt.Sprintf("%+q", r), "'") })
}
