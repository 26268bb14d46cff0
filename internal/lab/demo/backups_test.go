package demo

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/lab/victim"
)

func TestTheBackupsAreInTheCatalogue(t *testing.T) {
	catalog, err := files.Default()
	require.NoError(t, err)
	for _, c := range compressors {
		_, line, err := heavyBackup(t.TempDir(), c)
		require.NoError(t, err)
		tar, _, _ := strings.Cut(line, " |")
		for _, args := range [][]string{strings.Fields(tar), gentleBackup("/tmp/x")} {
			found, ok := catalog.Recognise(fact.Described{Command: "tar", Args: args})
			require.True(t, ok, args)
			require.Equal(t, "tar", found.Tool.Name)
		}
	}
}

func TestTheHeavyBackupIsABackup(t *testing.T) {
	c, err := findCompressor()
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, victim.DataSet{Files: 1, FileKiB: 4 << 10, Kind: victim.TextData, Seed: 2}.Write(t.Context(), filepath.Join(dir, "srv")))
	argv, _, err := heavyBackup(dir, c)
	require.NoError(t, err)
	out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
	require.NoError(t, err, string(out))
	archive, err := os.Stat(filepath.Join(dir, "nightly.tar"+c.suffix))
	require.NoError(t, err)
	require.Greater(t, archive.Size(), int64(c.passes)*4<<20/10, "it must not compress to nothing")
	require.Less(t, archive.Size(), int64(c.passes)*4<<20*3/4, "it must compress")
}
