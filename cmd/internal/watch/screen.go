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

// Escape sequences of a screen.
const (
	screenEnter = "\x1b[?1049h\x1b[?25l" // the alternate screen, without a cursor
	screenLeave = "\x1b[?25h\x1b[?1049l"
	screenHome  = "\x1b[H"
	screenClear = "\x1b[2J"
	lineEnd     = "\x1b[K" // clears the rest of the line
	screenEnd   = "\x1b[J" // clears the rest of the screen
)

// screen is a terminal that is redrawn several times a second. close restores the
// terminal.
type screen struct {
	out   io.Writer
	clock elector.Clock
	size  func() (columns, rows int)

	last    [2]int // the size at the last drawing
	ticks   chan struct{}
	timer   elector.Timer
	quits   chan struct{}
	restore func()
}

// screenInterval is the time between two drawings.
const screenInterval = 100 * time.Millisecond

// openScreen takes over a terminal. in is its keyboard, if it is a terminal.
func openScreen(out io.Writer, in io.Reader, c elector.Clock, size func() (columns, rows int)) *screen {
	s := &screen{out: out, clock: c, size: size, ticks: make(chan struct{}, 1), quits: make(chan struct{}), restore: func() {}}
	if keyboard, ok := in.(*os.File); ok && term.IsTerminal(int(keyboard.Fd())) {
		if state, err := term.MakeRaw(int(keyboard.Fd())); err == nil {
			s.restore = func() { _ = term.Restore(int(keyboard.Fd()), state) }
			go awaitQuit(keyboard, sync.OnceFunc(func() { close(s.quits) }))
		}
	}
	io.WriteString(out, screenEnter) //nolint:errcheck // the first drawing reports the error
	s.timer = c.AfterFunc(screenInterval, s.alarm)
	return s
}

// awaitQuit waits for a key that ends the screen. It returns only when the process ends:
// nothing else ends a read from a terminal.
func awaitQuit(keyboard io.Reader, quit func()) {
	const interrupt, end = 3, 4 // ctrl-C and ctrl-D in raw mode
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

// draw draws rows from the top. Rows and columns that do not fit are left out.
func (s *screen) draw(rows func(columns, height int) []terminal.Row) error {
	s.timer.Reset(screenInterval)
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
	io.WriteString(s.out, screenLeave) //nolint:errcheck // there is nothing left to do about it
	s.restore()
}
