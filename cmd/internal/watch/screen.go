package watch

import (
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/elector"
)

// What a screen says to its terminal.
const (
	screenEnter = "\x1b[?1049h\x1b[?25l" // the other screen, without a cursor
	screenLeave = "\x1b[?25h\x1b[?1049l"
	screenHome  = "\x1b[H"
	screenClear = "\x1b[2J"
	lineEnd     = "\x1b[K" // clears the rest of the line
	screenEnd   = "\x1b[J" // and of the screen
)

// screen is a terminal that is drawn anew several times a second. Close it: the
// terminal is then as it was.
type screen struct {
	out   io.Writer
	clock elector.Clock
	size  func() (columns, rows int)

	last    [2]int // the size when it was drawn last
	ticks   chan struct{}
	timer   elector.Timer
	quits   chan struct{}
	restore func()
}

// screenPace is the time between two drawings.
const screenPace = 100 * time.Millisecond

// openScreen takes a terminal. in is its keyboard, if that is a terminal.
func openScreen(out io.Writer, in io.Reader, c elector.Clock, size func() (columns, rows int)) *screen {
	s := &screen{out: out, clock: c, size: size, ticks: make(chan struct{}, 1), quits: make(chan struct{}), restore: func() {}}
	if keyboard, ok := in.(*os.File); ok && term.IsTerminal(int(keyboard.Fd())) {
		if state, err := term.MakeRaw(int(keyboard.Fd())); err == nil {
			s.restore = func() { _ = term.Restore(int(keyboard.Fd()), state) }
			go awaitQuit(keyboard, sync.OnceFunc(func() { close(s.quits) }))
		}
	}
	io.WriteString(out, screenEnter) //nolint:errcheck // the first drawing would tell
	s.timer = c.AfterFunc(screenPace, s.alarm)
	return s
}

// awaitQuit waits for a key that ends it. It ends with the process: nothing else
// ends a read from a terminal.
func awaitQuit(keyboard io.Reader, quit func()) {
	const interrupt, end = 3, 4 // ctrl-C and ctrl-D, in raw mode
	key := make([]byte, 16)
	for {
		n, err := keyboard.Read(key)
		for _, k := range key[:n] {
			if k == 'q' || k == 'Q' || k == interrupt || k == end {
				quit()
			}
		}
		if err != nil {
			return
		}
	}
}

func (s *screen) alarm() {
	select {
	case s.ticks <- struct{}{}:
	default:
	}
}

// draw shows rows from the top; what is too wide or too many is left out.
func (s *screen) draw(rows func(columns, height int) []terminal.Row) error {
	s.timer.Reset(screenPace)
	columns, height := s.size()
	var text strings.Builder
	if size := [2]int{columns, height}; size != s.last {
		s.last = size
		text.WriteString(screenClear)
	}
	text.WriteString(screenHome)
	shown := rows(columns, height)
	for i, r := range shown[:min(len(shown), height)] {
		if i > 0 {
			text.WriteString("\r\n")
		}
		text.WriteString(r.Cut(columns) + lineEnd)
	}
	text.WriteString(screenEnd)
	_, err := io.WriteString(s.out, text.String())
	return err
}

func (s *screen) close() {
	s.timer.Stop()
	io.WriteString(s.out, screenLeave) //nolint:errcheck // nobody is left to be told
	s.restore()
}
