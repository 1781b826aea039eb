package record

import (
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// MaxNameBytes is the length of the longest id or name.
const MaxNameBytes = 255

// NameProblem returns what is wrong with an id or a name, to continue a sentence that begins
// with what it is. It returns "" for a valid one: 1 to MaxNameBytes bytes of UTF-8 without
// control characters.
func NameProblem(name string) string {
	switch {
	case name == "":
		return "is empty"
	case len(name) > MaxNameBytes:
		return fmt.Sprintf("has %d bytes; use at most %d", len(name), MaxNameBytes)
	case !utf8.ValidString(name):
		return strconv.QuoteToASCII(name) + " is not valid UTF-8"
	}
	for _, r := range name {
		if unicode.IsControl(r) {
			return strconv.QuoteToASCII(name) + " contains a control character"
		}
	}
	return ""
}
