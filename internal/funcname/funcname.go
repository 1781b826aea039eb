// Package funcname names a test after its function, so that a table of tests does not
// repeat every name as a text.
package funcname

import (
	"reflect"
	"runtime"
	"strings"
	"unicode"
)

// Sentence returns the name of a function as words that are joined by underscores, which
// is how package testing writes the name of a subtest. aLeaderIsFollowedByID becomes
// A_leader_is_followed_by_id. It panics if f is not a function.
func Sentence(f any) string {
	if reflect.TypeOf(f).Kind() != reflect.Func {
		panic("funcname: not a function")
	}
	name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	name = name[strings.LastIndexByte(name, '.')+1:]
	letters := []rune(name)
	var b strings.Builder
	for i, r := range letters {
		switch {
		case i == 0:
			b.WriteRune(unicode.ToUpper(r))
		case !unicode.IsUpper(r):
			b.WriteRune(r)
		default: // a word begins, unless this is inside of an initialism such as ID
			if !unicode.IsUpper(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1]) {
				b.WriteByte('_')
			}
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}
