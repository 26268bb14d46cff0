package journal

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"

	"github.com/otel-culprit/culprit/internal/fact"
)

// Packing says how a journal is packed for others to read.
type Packing struct {
	// Root is the PID of the process that ran what is recorded, and Folder the
	// directory in which it ran. What else the host ran is nobody's business: of
	// processes that neither descend from Root nor name Folder, and that serve no
	// service, command and job are called Stranger, path and arguments are left
	// out; their units, containers, control groups and mount points get names that
	// tell nothing, and hosts are called "host". If neither is set, all is kept.
	Root   int64
	Folder string
	// Replace has pairs of old and new text, such as the directory of the build and
	// what to show in its place; they are replaced in paths, arguments, logs and marks.
	Replace []string
}

// Stranger is what a process is called that is no part of what was recorded.
const Stranger = "stranger"

// Pack writes the facts of journals, one after the other, as one journal in gzip.
// A last line that its writer did not finish is left out. The file is whole or not
// there; the same facts give the same bytes.
func Pack(path string, o Packing, journals ...string) (err error) {
	facts := Whole(Open(journals...))
	k := keeper{Packing: o}
	if err = k.look(facts); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".pack-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	if err = errors.Join(writePacked(tmp, facts, k.keep), tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("pack journal: %w", err)
	}
	return os.Rename(tmp.Name(), path)
}

func writePacked(to io.Writer, facts iter.Seq2[fact.Fact, error], keep func(fact.Fact) fact.Fact) error {
	packed, err := gzip.NewWriterLevel(to, gzip.BestCompression)
	if err != nil {
		return err
	}
	w := NewWriter(packed)
	for f, err := range facts {
		if err != nil {
			return err
		}
		if err := w.Write(keep(f)); err != nil {
			return err
		}
	}
	return errors.Join(w.Flush(), packed.Close())
}

// Whole gives facts up to the line that their writer did not finish.
func Whole(facts iter.Seq2[fact.Fact, error]) iter.Seq2[fact.Fact, error] {
	return func(yield func(fact.Fact, error) bool) {
		some := false
		for f, err := range facts {
			if some && errors.Is(err, io.ErrUnexpectedEOF) || !yield(f, err) {
				return
			}
			some = true
		}
	}
}
