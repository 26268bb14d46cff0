package journal

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/otel-culprit/culprit/internal/fact"
)

// Read gives the facts of a journal in their order; gzip is recognised. The
// first error ends it, after all whole facts before it were given: it names the
// line, and wraps io.ErrUnexpectedEOF if the journal ends in the middle of one.
// The sequence can be ranged over once.
func Read(r io.Reader) iter.Seq2[fact.Fact, error] {
	return func(yield func(fact.Fact, error) bool) {
		read(r, true, yield)
	}
}

// read gives the facts of a journal; first says that none were given before it.
func read(r io.Reader, first bool, yield func(fact.Fact, error) bool) {
	lines, err := newLineReader(r)
	if err != nil {
		yield(nil, err)
		return
	}
	lines.begun = !first
	for {
		f, err := lines.next()
		if errors.Is(err, io.EOF) {
			return
		}
		if !yield(f, err) || err != nil {
			return
		}
	}
}

// Open gives the facts of journal files, one file after the other; each is
// closed at its end. Errors name the file. The sequence can be ranged over again.
//
// A File that was rotated is read with Open(Rotated(path), path).
func Open(paths ...string) iter.Seq2[fact.Fact, error] {
	return func(yield func(fact.Fact, error) bool) {
		begun := false
		for _, path := range paths {
			if !openOne(path, !begun, func(f fact.Fact, err error) bool {
				begun = true
				return yield(f, err)
			}) {
				return
			}
		}
	}
}

// openOne reports whether the next file is wanted.
func openOne(path string, first bool, yield func(fact.Fact, error) bool) (more bool) {
	file, err := os.Open(path) //nolint:gosec // reading the file that the user named is the purpose
	if err != nil {
		yield(nil, fmt.Errorf("open journal: %w", err))
		return false
	}
	defer func() { _ = file.Close() }() // only read
	more = true
	read(file, first, func(f fact.Fact, err error) bool {
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
		more = yield(f, err) && err == nil
		return more
	})
	return more
}

// lineReader reads whole lines and counts them.
type lineReader struct {
	in     *bufio.Reader
	number int
	begun  bool   // a fact was given
	long   []byte // a line that did not fit into the buffer of in
}

var gzipMagic = []byte{0x1f, 0x8b}

// newLineReader unpacks gzip and checks the header.
func newLineReader(r io.Reader) (*lineReader, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := in.Peek(len(gzipMagic)); bytes.Equal(magic, gzipMagic) {
		unpacked, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("read journal: %w", eofIsUnexpected(err))
		}
		in = bufio.NewReaderSize(unpacked, 64<<10)
	}
	return &lineReader{in: in}, nil
}

// next gives the next fact, or io.EOF at the end.
func (r *lineReader) next() (fact.Fact, error) {
	for {
		text, err := r.line()
		whole := err == nil
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("line %d: %w", r.number, err)
		}
		text = bytes.TrimSpace(text)
		if len(text) == 0 {
			switch {
			case whole && r.number == 1:
				return nil, errNoHeader
			case whole:
				continue
			case r.number == 1:
				return nil, fmt.Errorf("the journal is empty: %w", io.ErrUnexpectedEOF)
			default:
				return nil, io.EOF
			}
		}
		f, err := r.parse(text)
		switch {
		case err != nil && !whole:
			return nil, fmt.Errorf("line %d ends in the middle: %w", r.number, io.ErrUnexpectedEOF)
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", r.number, err)
		case f != nil:
			r.begun = true
			return f, nil
		}
	}
}

// line gives the next line; io.EOF comes with what stands after the last
// newline. The line is valid until the next call.
func (r *lineReader) line() ([]byte, error) {
	r.number++
	r.long = r.long[:0]
	for {
		part, err := r.in.ReadSlice('\n')
		if err == nil && len(r.long) == 0 {
			return part, nil
		}
		r.long = append(r.long, part...)
		switch {
		case len(r.long) > maxLine:
			return nil, fmt.Errorf("longer than %d bytes", maxLine)
		case !errors.Is(err, bufio.ErrBufferFull):
			return r.long, err
		}
	}
}

var errNoHeader = errors.New(`this is no journal: its first line must be a header such as {"culprit_journal":1}`)

// parse gives the fact of a line, nil for a header and for what was carried from
// lines that were read.
func (r *lineReader) parse(text []byte) (fact.Fact, error) {
	var l line
	first := r.number == 1
	if err := json.Unmarshal(text, &l); err != nil {
		if first {
			return nil, errNoHeader
		}
		return nil, err
	}
	switch {
	case l.Version == version:
		return nil, nil
	case l.Version != 0:
		return nil, fmt.Errorf("journal version %d, but this program reads version %d: use the program that wrote it", l.Version, version)
	case first:
		return nil, errNoHeader
	}
	decode, known := decoders[l.Kind]
	if !known {
		return nil, fmt.Errorf("unknown kind of fact %q: a newer program may have written it", l.Kind)
	}
	if l.Fact == nil {
		return nil, fmt.Errorf(`a %s line needs a "fact"`, l.Kind)
	}
	f, err := decode(l.Fact)
	if err != nil {
		return nil, fmt.Errorf("%s fact: %w", l.Kind, err)
	}
	if l.Carried && r.begun {
		return nil, nil
	}
	return f, nil
}

func eofIsUnexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
