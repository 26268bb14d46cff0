package lab

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// generator makes data that compresses about as text does.
type generator struct {
	random *rand.Rand
	words  [][]byte
}

func newGenerator(seed uint64) *generator {
	g := &generator{random: rand.New(rand.NewPCG(seed, seed))} //nolint:gosec // the data must be the same each time
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

// bytes makes n bytes.
func (g *generator) bytes(n int) []byte {
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

// writeDataSet makes dir with files of 4 MiB, together of that many MiB, and
// waits until they are on storage, so that nothing is written back later.
func writeDataSet(ctx context.Context, dir string, mebibytes int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data set: %w", err)
	}
	g := newGenerator(2)
	for i := range mebibytes / 4 {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := writeDurably(filepath.Join(dir, fmt.Sprintf("part-%03d", i)), g.bytes(4<<20)); err != nil {
			return err
		}
	}
	return nil
}
