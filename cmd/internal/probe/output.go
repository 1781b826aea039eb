package probe

import (
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/fdbelection/fdbelection/election"
)

const (
	maxTail = 4096 // bytes of output that are kept
	maxLine = 200  // bytes of a line that are reported
)

// tail keeps the end of what is written to it. Its zero value is empty.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if n > maxTail {
		p = p[n-maxTail:]
	}
	if over := len(t.kept) + len(p) - maxTail; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	t.kept = append(t.kept, p...)
	return n, nil
}

// after returns a text, followed by the last line of the output if there is one.
func (t *tail) after(text string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if line := lastLine(string(t.kept)); line != "" {
		return text + ": " + line
	}
	return text
}

// lastLine returns the last line with printable characters, shortened and safe to print.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	if at := strings.LastIndexAny(text, "\n\r"); at >= 0 {
		text = strings.TrimSpace(text[at+1:])
	}
	if len(text) > maxLine {
		cut := maxLine
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "..."
	}
	return election.SafeText(text)
}
