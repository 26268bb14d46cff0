package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/otel-culprit/culprit/internal/fact"
)

// minFileSize is the least bound of a File, in bytes.
const minFileSize = 1 << 20

// flushSize is how many bytes a File gathers before it writes them.
const flushSize = 64 << 10

// File is a journal on disk that never grows beyond a bound: when half of it is
// used, the file is renamed to Rotated(path), replacing what was there, and a new
// one is begun. An existing journal is continued.
//
// A full disk costs facts, never more: what could not be written is dropped and
// counted, the file is cut back to its last whole line, and later facts are tried
// again. File is not safe for concurrent use.
type File struct {
	path    string
	max     int64 // bytes of one of the two files
	file    *os.File
	size    int64 // bytes of whole lines in file
	buf     []byte
	held    int // facts in buf
	dropped int64
	enc     lineEncoder
	carried []byte // line with which a new file begins
}

// Rotated is the name of the older half of the journal at path.
func Rotated(path string) string { return path + ".1" }

// OpenFile opens the journal at path, to hold at most maxBytes together with its
// rotated half. It refuses to continue a file that is no journal.
func OpenFile(path string, maxBytes int64) (*File, error) {
	if maxBytes < minFileSize {
		return nil, fmt.Errorf("open journal %s: its bound must be at least %d bytes", path, minFileSize)
	}
	f := &File{path: path, max: maxBytes / 2}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	return f, nil
}

// Write adds one fact. An error means that facts were dropped, this one or
// buffered ones; the next Write may succeed.
func (f *File) Write(one fact.Fact) error {
	encoded, err := f.enc.encode(one, false)
	if err == nil && int64(len(header)+len(f.carried)+len(encoded)) > f.max {
		err = fmt.Errorf("%s fact: its line of %d bytes does not fit into half the journal", one.Kind(), len(encoded))
	}
	if err != nil {
		f.dropped++
		return err
	}
	if len(f.buf) > 0 && len(f.buf)+len(encoded) > flushSize {
		err = f.Flush()
	}
	f.buf = append(f.buf, encoded...)
	f.held++
	return err
}

// Carry keeps what an engine has learned by now for the time when the older half
// is gone: each new file begins with what was carried last. Who reads both halves
// is not given it. What would take more than a quarter of a file is not carried.
func (f *File) Carry(r fact.Recalled) error {
	encoded, err := f.enc.encode(r, true)
	if err != nil {
		return err
	}
	err = f.Flush() // what comes before it does not belong behind it
	f.carried = f.carried[:0]
	if int64(len(encoded)) <= f.max/4 {
		f.carried = append(f.carried, encoded...)
	}
	return err
}

// Flush writes what is buffered.
func (f *File) Flush() error {
	if f.held == 0 {
		return nil
	}
	err := f.flush()
	if err != nil {
		f.dropped += int64(f.held)
		err = fmt.Errorf("write journal: %w", err)
	}
	f.buf, f.held = f.buf[:0], 0
	return err
}

// Dropped is the number of facts that are not in the journal.
func (f *File) Dropped() int64 { return f.dropped }

// Close writes what is buffered and closes the file.
func (f *File) Close() error {
	err := f.Flush()
	if f.file == nil {
		return err
	}
	closed := f.file.Close()
	f.file = nil
	return errors.Join(err, closed)
}

func (f *File) flush() error {
	if f.file == nil {
		if err := f.open(); err != nil {
			return err
		}
	}
	if f.size+int64(len(f.buf)) > f.max {
		if err := f.rotate(); err != nil {
			return err
		}
	}
	return f.append(f.buf)
}

// append writes whole lines, or none.
func (f *File) append(lines []byte) error {
	_, err := f.file.WriteAt(lines, f.size)
	if err != nil {
		return errors.Join(err, f.file.Truncate(f.size))
	}
	f.size += int64(len(lines))
	return nil
}

func (f *File) rotate() error {
	closed := f.file.Close()
	f.file = nil
	if err := errors.Join(closed, os.Rename(f.path, Rotated(f.path))); err != nil {
		return err
	}
	if err := f.open(); err != nil || len(f.carried) == 0 {
		return err
	}
	return f.append(f.carried)
}

// open continues the journal at path, or begins it.
func (f *File) open() error {
	file, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err = checkHeader(file); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", f.path, err), file.Close())
	}
	f.file = file
	f.size, err = wholeLines(file)
	if err == nil {
		err = file.Truncate(f.size)
	}
	if err == nil {
		err = f.append([]byte(header))
	}
	if err != nil {
		f.file = nil
		return errors.Join(err, file.Close())
	}
	return nil
}

// checkHeader refuses a file that is something else than a journal; an empty or
// torn header is one.
func checkHeader(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file: choose another path")
	}
	first := make([]byte, len(header))
	n, err := file.ReadAt(first, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if !strings.HasPrefix(header, string(first[:n])) {
		return errors.New("there is a file that is no journal of this version: move it away or choose another path")
	}
	return nil
}

// wholeLines gives the size of a file without the line that a killed writer may
// have left half-written at its end.
func wholeLines(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	chunk := make([]byte, 4096)
	for end := info.Size(); end > 0; {
		begin := max(0, end-int64(len(chunk)))
		part := chunk[:end-begin]
		if _, err := file.ReadAt(part, begin); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return begin + int64(i) + 1, nil
		}
		end = begin
	}
	return 0, nil
}
