package demo

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"time"
)

// pressureMeter reads what share of the time some task waited for a CPU.
type pressureMeter struct {
	read  fileReader
	at    time.Time
	total float64 // microseconds
}

// share since the last call, from 0 to 1; ok is false at the first call and
// where the kernel does not tell.
func (m *pressureMeter) share(now time.Time) (share float64, ok bool) {
	text, err := m.read("/proc/pressure/cpu")
	if err != nil {
		return 0, false
	}
	total, err := someTotal(text)
	if err != nil {
		return 0, false
	}
	span := now.Sub(m.at)
	stalled := total - m.total
	first := m.at.IsZero()
	m.at, m.total = now, total
	if first || span <= 0 {
		return 0, false
	}
	return min(stalled/float64(span.Microseconds()), 1), true
}

// someTotal finds "some ... total=N".
func someTotal(text []byte) (float64, error) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) == 0 || fields[0] != "some" {
		return 0, errors.New("no line of tasks that wait")
	}
	value, found := strings.CutPrefix(fields[len(fields)-1], "total=")
	if !found {
		return 0, errors.New("no total")
	}
	return strconv.ParseFloat(value, 64)
}
