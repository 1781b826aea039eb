package election

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestTokenText(t *testing.T) {
	golden := Token{Term: 42, Identity: goldenID, Nonce: goldenNonce}
	const text = "42:11111111-2222-3333-4444-555555555555:aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee:node-a"
	require.Equal(t, text, golden.Text())
	for _, id := range []string{"node-a", "a b", "x:y/z%20?=&", "grün", "日本", " ", "\u202e", strings.Repeat("é", MaxIDBytes/2)} {
		for _, term := range []uint64{1, 1<<64 - 1} {
			token := Token{Term: term, Identity: Identity{ID: id, Incarnation: goldenID.Incarnation}, Nonce: goldenNonce}
			for _, r := range token.Text() {
				require.True(t, r > ' ' && r <= unicode.MaxASCII && unicode.IsPrint(r), "%q", token.Text())
			}
			parsed, err := ParseToken(token.Text())
			require.NoError(t, err)
			require.Equal(t, token, parsed)
		}
	}
	plain := Token{Term: 1, Identity: Identity{ID: "unique"}, Nonce: goldenNonce}
	parsed, err := ParseToken(plain.Text())
	require.NoError(t, err, "an identity without an incarnation")
	require.Equal(t, plain, parsed)
}

// invalidTokens are texts that are not a token, each for another reason.
var invalidTokens = func() map[string]string {
	const incarnation, nonce = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
	join := func(parts ...string) string { return strings.Join(parts, ":") }
	return map[string]string{
		"nothing":                      "",
		"a term alone":                 "42",
		"no id":                        join("42", incarnation, nonce),
		"an empty id":                  join("42", incarnation, nonce, ""),
		"no term":                      join("", incarnation, nonce, "a"),
		"term zero":                    join("0", incarnation, nonce, "a"),
		"an empty nonce":               join("42", incarnation, uuid.Nil.String(), "a"),
		"a negative term":              join("-1", incarnation, nonce, "a"),
		"a term with a sign":           join("+1", incarnation, nonce, "a"),
		"a term with a zero before it": join("042", incarnation, nonce, "a"),
		"a term too high":              join("18446744073709551616", incarnation, nonce, "a"),
		"a space before":               " " + join("42", incarnation, nonce, "a"),
		"a line end after":             join("42", incarnation, nonce, "a\n"),
		"not a UUID":                   join("42", "1111", nonce, "a"),
		"a nonce that is not a UUID":   join("42", incarnation, "bbbb", "a"),
		"a UUID in capitals":           join("42", incarnation, strings.ToUpper(nonce), "a"),
		"a UUID in braces":             join("42", "{"+incarnation+"}", nonce, "a"),
		"a broken escape":              join("42", incarnation, nonce, "%2"),
		"an unnecessary escape":        join("42", incarnation, nonce, "%61"),
		"a control character":          join("42", incarnation, nonce, "%1B%5B2J"),
		"a raw control character":      join("42", incarnation, nonce, "\x1b[2J"),
		"a NUL":                        join("42", incarnation, nonce, "a%00"),
		"not UTF-8":                    join("42", incarnation, nonce, "%FF"),
		"raw bytes that are not UTF-8": join("42", incarnation, nonce, "\xff"),
		"an id too long":               join("42", incarnation, nonce, strings.Repeat("a", MaxIDBytes+1)),
		"a very long text":             strings.Repeat("4", 1<<20),
	}
}()

func TestParseTokenRefusesInvalidText(t *testing.T) {
	for name, text := range invalidTokens {
		t.Run(name, func(t *testing.T) {
			token, err := ParseToken(text)
			require.Error(t, err)
			require.Zero(t, token)
			for _, r := range err.Error() {
				require.True(t, unicode.IsPrint(r), "%q", err)
			}
			require.Less(t, len(err.Error()), 8*maxTokenText)
		})
	}
}

// FuzzParseToken: ParseToken refuses a text, or the text is what Text returns for its token.
func FuzzParseToken(f *testing.F) {
	f.Add(Token{Term: 42, Identity: goldenID, Nonce: uuid.Max}.Text())
	for _, text := range invalidTokens {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		if err != nil {
			return
		}
		require.Equal(t, text, token.Text())
		require.NoError(t, token.Validate())
		require.NotZero(t, token.Term)
		require.NotZero(t, token.Nonce)
	})
}
