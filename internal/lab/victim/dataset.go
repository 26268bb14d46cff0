package victim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// DataKind is what files consist of.
type DataKind string

const (
	// RandomData is what no compressor can shorten.
	RandomData DataKind = "random"
	// TextData compresses about as text does.
	TextData DataKind = "text"
)

const (
	filesPerDir = 100
	chunkSize   = 1 << 20 // bytes made at once
)

// DataSet is a tree of files of one size. The same seed gives the same content.
type DataSet struct {
	Files   int
	FileKiB int
	Kind    DataKind
	Seed    uint64
}

// FileName is the path of a file within a data set's directory.
func FileName(i int) string { return fmt.Sprintf("d%03d/f%06d", i/filesPerDir, i) }

// Path is where a site that serves the files as they are has one of them; each
// number leads to one.
func (s DataSet) Path(item uint64) string {
	return "/" + FileName(int(item%uint64(s.Files))) //nolint:gosec // a file's number
}

// Write makes the data set in dir and waits until it is on storage, so that
// nothing is written back later. Files that are there in their size are left.
func (s DataSet) Write(ctx context.Context, dir string) error {
	g := newGenerator(s.Seed)
	for i := range s.Files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		name := filepath.Join(dir, FileName(i))
		if i%filesPerDir == 0 {
			if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
				return fmt.Errorf("make a data set: %w", err)
			}
		}
		if info, err := os.Stat(name); err == nil && info.Size() == int64(s.FileKiB)<<10 {
			continue
		}
		if err := s.writeFile(g, name, uint64(i)); err != nil {
			return fmt.Errorf("make a data set: %w", err)
		}
	}
	return syncStorage(dir)
}

func (s DataSet) writeFile(g *generator, name string, number uint64) (err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600) //nolint:gosec // in a directory of the lab
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	g.begin(s.Seed, number)
	for left := s.FileKiB << 10; left > 0; left -= chunkSize {
		if _, err := f.Write(g.make(s.Kind, min(left, chunkSize))); err != nil {
			return err
		}
	}
	return nil
}

// syncStorage waits until all of the file system that holds dir is on storage.
func syncStorage(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // a directory of the lab
	if err != nil {
		return fmt.Errorf("wait for the storage: %w", err)
	}
	defer func() { _ = d.Close() }() // read only
	if err := unix.Syncfs(int(d.Fd())); err != nil {
		return fmt.Errorf("wait for the storage of %s: %w", dir, err)
	}
	return nil
}

// forget drops a file from the page cache, where the file system lets it.
func forget(f *os.File) { _ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

// generator makes data.
type generator struct {
	random *rand.Rand
	noise  *rand.ChaCha8
	words  [][]byte
}

func newGenerator(seed uint64) *generator {
	g := new(generator)
	g.begin(seed, seed)
	const letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	for range 4096 {
		word := make([]byte, 3+g.random.IntN(12))
		for i := range word {
			word[i] = letters[g.random.IntN(len(letters))]
		}
		g.words = append(g.words, append(word, ' '))
	}
	return g
}

// begin begins the data of that number.
func (g *generator) begin(seed, number uint64) {
	g.random = rand.New(rand.NewPCG(seed, number)) //nolint:gosec // the data must be the same each time
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	binary.LittleEndian.PutUint64(key[8:], number)
	g.noise = rand.NewChaCha8(key)
}

// make makes n bytes of a kind.
func (g *generator) make(kind DataKind, n int) []byte {
	if kind == TextData {
		return g.text(n)
	}
	out := make([]byte, n)
	_, _ = g.noise.Read(out) // never fails
	return out
}

// text makes n bytes that compress about as text does.
func (g *generator) text(n int) []byte {
	out := make([]byte, 0, n+16)
	for len(out) < n {
		// Five choices of a word for each random number.
		for bits := g.random.Uint64(); bits > 15 && len(out) < n; bits >>= 12 {
			out = append(out, g.words[bits%4096]...)
		}
		if len(out)%8 == 0 { // some bytes that no compressor can shorten
			out = binary.LittleEndian.AppendUint64(out, g.random.Uint64())
		}
	}
	return out[:n]
}
