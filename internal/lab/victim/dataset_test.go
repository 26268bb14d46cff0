package victim

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
	for kind, shrinks := range map[DataKind][2]float64{RandomData: {0.99, 1.01}, TextData: {0.2, 0.75}} {
		set := DataSet{Files: 105, FileKiB: 20, Kind: kind, Seed: 9}
		dir := t.TempDir()
		require.NoError(t, set.Write(t.Context(), dir))
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		seen := map[string]bool{}
		for i := range set.Files {
			content, err := os.ReadFile(filepath.Join(dir, FileName(i)))
			require.NoError(t, err)
			require.Len(t, content, 20<<10)
			seen[string(content)] = true
			_, err = writer.Write(content)
			require.NoError(t, err)
		}
		require.NoError(t, writer.Close())
		require.Len(t, seen, set.Files, "no two are the same")
		ratio := float64(packed.Len()) / float64(set.Files*20<<10)
		require.Greater(t, ratio, shrinks[0])
		require.Less(t, ratio, shrinks[1])
	}
}

func TestDataSetLeavesWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	set := DataSet{Files: 2, FileKiB: 1, Kind: TextData, Seed: 9}
	require.NoError(t, set.Write(t.Context(), dir))
	first, err := os.ReadFile(filepath.Join(dir, FileName(1)))
	require.NoError(t, err)
	mine := []byte(strings.Repeat("x", 1<<10))
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName(0)), mine, 0o600))
	require.NoError(t, os.Remove(filepath.Join(dir, FileName(1))))
	require.NoError(t, set.Write(t.Context(), dir))
	left, err := os.ReadFile(filepath.Join(dir, FileName(0)))
	require.NoError(t, err)
	require.Equal(t, mine, left)
	again, err := os.ReadFile(filepath.Join(dir, FileName(1)))
	require.NoError(t, err)
	require.Equal(t, first, again, "the same seed gives the same content")
}

func TestDataSetEndsEarly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, DataSet{Files: 1, FileKiB: 1, Kind: RandomData}.Write(ctx, t.TempDir()), context.Canceled)
}

func TestEvictedFilesAreReadFromStorage(t *testing.T) {
	dir := t.TempDir()
	mustReachStorage(t, dir)
	set := DataSet{Files: 3, FileKiB: 512, Kind: RandomData, Seed: 3}
	require.NoError(t, set.Write(t.Context(), dir))
	require.NoError(t, stage.Evict(t.Context(), dir))
	before := storageReads(t, os.Getpid())
	for i := range set.Files {
		_, err := os.ReadFile(filepath.Join(dir, FileName(i)))
		require.NoError(t, err)
	}
	require.GreaterOrEqual(t, storageReads(t, os.Getpid())-before, 3*512<<10)
}

func TestDataSetIsWrittenFast(t *testing.T) {
	began := time.Now()
	require.NoError(t, DataSet{Files: 64, FileKiB: 1 << 10, Kind: TextData, Seed: 1}.Write(t.Context(), t.TempDir()))
	require.Less(t, time.Since(began), 10*time.Second)
}
