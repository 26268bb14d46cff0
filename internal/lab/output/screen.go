package output

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// plainEvery is how often a status is printed where it cannot be refreshed.
const plainEvery = 5 * time.Second

// Screen shows a status in one line, refreshed on a terminal and repeated now
// and then elsewhere, and blocks of text above it.
type Screen struct {
	out     io.Writer
	columns func() int // of the terminal; zero if it is none

	mu   sync.Mutex
	last time.Time // of a plain status
}

// New makes a screen of out, which may be a terminal.
func New(out io.Writer, terminal bool) *Screen {
	return &Screen{out: out, columns: func() int {
		if !terminal {
			return 0
		}
		if file, ok := out.(*os.File); ok {
			if size, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
				return int(size.Col)
			}
		}
		return 80 // what every terminal has that does not say
	}}
}

// Status replaces the status line. A terminal can only refresh what fits into
// one of its lines.
func (s *Screen) Status(now time.Time, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if width := s.columns(); width > 0 {
		s.write("\r\x1b[K" + text[:min(len(text), width-1)])
		return
	}
	if now.Sub(s.last) >= plainEvery {
		s.last = now
		s.write(text + "\n")
	}
}

// Clear takes the status line of a terminal away.
func (s *Screen) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.columns() > 0 {
		s.write("\r\x1b[K")
	}
}

// Block prints text for good, above the status line.
func (s *Screen) Block(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.columns() > 0 {
		s.write("\r\x1b[K")
	}
	s.write(strings.TrimRight(text, "\n") + "\n")
}

// Printf prints formatted text for good, above the status line.
func (s *Screen) Printf(format string, args ...any) { s.Block(fmt.Sprintf(format, args...)) }

// write ignores errors: a run whose terminal is gone is ended by its signal.
func (s *Screen) write(text string) { _, _ = io.WriteString(s.out, text) }
