package lab

import (
	"bytes"
	"compress/gzip"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/stage"
)

func TestDataSetCompressesAsItsKind(t *testing.T) {
	for kind, shrinks := range map[dataKind][2]float64{randomData: {0.99, 1.01}, textData: {0.2, 0.75}} {
		set := dataSet{files: 105, fileKiB: 20, kind: kind, seed: 9}
		dir := t.TempDir()
		require.NoError(t, set.write(t.Context(), dir))
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		seen := map[string]bool{}
		for i := range set.files {
			content, err := os.ReadFile(filepath.Join(dir, fileName(i)))
			require.NoError(t, err)
			require.Len(t, content, 20<<10)
			seen[string(content)] = true
			_, err = writer.Write(content)
			require.NoError(t, err)
		}
		require.NoError(t, writer.Close())
		require.Len(t, seen, set.files, "no two are the same")
		ratio := float64(packed.Len()) / float64(set.files*20<<10)
		require.Greater(t, ratio, shrinks[0])
		require.Less(t, ratio, shrinks[1])
	}
}

func TestDataSetLeavesWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	set := dataSet{files: 2, fileKiB: 1, kind: textData, seed: 9}
	require.NoError(t, set.write(t.Context(), dir))
	first, err := os.ReadFile(filepath.Join(dir, fileName(1)))
	require.NoError(t, err)
	mine := []byte(strings.Repeat("x", 1<<10))
	require.NoError(t, os.WriteFile(filepath.Join(dir, fileName(0)), mine, 0o600))
	require.NoError(t, os.Remove(filepath.Join(dir, fileName(1))))
	require.NoError(t, set.write(t.Context(), dir))
	left, err := os.ReadFile(filepath.Join(dir, fileName(0)))
	require.NoError(t, err)
	require.Equal(t, mine, left)
	again, err := os.ReadFile(filepath.Join(dir, fileName(1)))
	require.NoError(t, err)
	require.Equal(t, first, again, "the same seed gives the same content")
}

func TestDataSetEndsEarly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, dataSet{files: 1, fileKiB: 1, kind: randomData}.write(ctx, t.TempDir()), context.Canceled)
}

func TestEvictedFilesAreReadFromStorage(t *testing.T) {
	dir := t.TempDir()
	mustReachStorage(t, dir)
	set := dataSet{files: 3, fileKiB: 512, kind: randomData, seed: 3}
	require.NoError(t, set.write(t.Context(), dir))
	require.NoError(t, stage.Evict(t.Context(), dir))
	before := storageReads(t, os.Getpid())
	for i := range set.files {
		_, err := os.ReadFile(filepath.Join(dir, fileName(i)))
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, storageReads(t, os.Getpid())-before, 3*512<<10)
}

func TestDataSetIsWrittenFast(t *testing.T) {
	began := time.Now()
	require.NoError(t, dataSet{files: 64, fileKiB: 1 << 10, kind: textData, seed: 1}.write(t.Context(), t.TempDir()))
	require.Less(t, time.Since(began), 10*time.Second)
}
