package lab

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

// screen shows a status in one line, refreshed on a terminal and repeated now
// and then elsewhere, and blocks of text above it.
type screen struct {
	out     io.Writer
	columns func() int // of the terminal; zero if it is none

	mu   sync.Mutex
	last time.Time // of a plain status
}

func newScreen(out io.Writer, terminal bool) *screen {
	return &screen{out: out, columns: func() int {
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

// status replaces the status line. A terminal can only refresh what fits into
// one of its lines.
func (s *screen) status(now time.Time, text string) {
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

// clear takes the status line of a terminal away.
func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.columns() > 0 {
		s.write("\r\x1b[K")
	}
}

// block prints text for good, above the status line.
func (s *screen) block(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.columns() > 0 {
		s.write("\r\x1b[K")
	}
	s.write(strings.TrimRight(text, "\n") + "\n")
}

func (s *screen) printf(format string, args ...any) { s.block(fmt.Sprintf(format, args...)) }

// write ignores errors: a demo whose terminal is gone is ended by its signal.
func (s *screen) write(text string) { _, _ = io.WriteString(s.out, text) }
