package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/otel-culprit/culprit/internal/fact"
)

// maxLine bounds a line, in bytes: Write refuses a longer one, Read reports it.
// It is what an engine may have learned, and a little more.
const maxLine = 1<<20 + 4<<10

// Writer writes facts as a journal. It buffers: call Flush at the end. It is not
// safe for concurrent use.
type Writer struct {
	out *bufio.Writer
	enc lineEncoder
}

// NewWriter starts a journal on w; the caller closes w.
func NewWriter(w io.Writer) *Writer {
	out := bufio.NewWriterSize(w, 64<<10)
	_, _ = out.WriteString(header) // fits into the buffer, so it cannot fail
	return &Writer{out: out}
}

// Write adds one fact. It refuses a fact that a journal cannot hold (see the
// package's promises) and goes on with the next; an error of the underlying
// writer stays.
func (w *Writer) Write(f fact.Fact) error {
	encoded, err := w.enc.encode(f, false)
	if err != nil {
		return err
	}
	if _, err := w.out.Write(encoded); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// Flush hands on all that is buffered.
func (w *Writer) Flush() error {
	if err := w.out.Flush(); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// lineEncoder turns facts into lines, in a buffer that it uses again.
type lineEncoder struct {
	buf bytes.Buffer
}

// encode gives a line that is valid until the next call. A carried fact is only
// for who has read nothing before it.
func (e *lineEncoder) encode(f fact.Fact, carried bool) ([]byte, error) {
	wire, err := encode(f)
	if err != nil {
		return nil, err
	}
	e.buf.Reset()
	enc := json.NewEncoder(&e.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(lineOut{Kind: f.Kind(), Carried: carried, Fact: wire}); err != nil {
		return nil, fmt.Errorf("%s fact: %w", f.Kind(), err)
	}
	if e.buf.Len() > maxLine {
		return nil, fmt.Errorf("%s fact: its line has %d bytes, more than %d", f.Kind(), e.buf.Len(), maxLine)
	}
	return e.buf.Bytes(), nil
}
