package terminal

import (
	"fmt"
	"strings"
	"unicode"
)

// escaped replaces what a terminal could obey, but for the ends of lines.
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

// safeLines is a text of several lines as a terminal may have it. Each name in
// it that comes from elsewhere should be safe by itself: this is the last line
// of defence.
func SafeLines(text string) string {
	return Escape(text, func(r rune) string { return strings.Trim(fmt.Sprintf("%+q", r), "'") })
}
