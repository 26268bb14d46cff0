package bpfscan

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The compiled programs are committed, so that nobody needs a C compiler; what
// they were compiled from must be what is committed beside them.
func TestTheCompiledProgramsAreOfTheseSources(t *testing.T) {
	sums, err := os.ReadFile("bpf/SHA256SUMS")
	require.NoError(t, err)
	listed := map[string]bool{}
	for line := range strings.Lines(string(sums)) {
		want, file, ok := strings.Cut(strings.TrimSpace(line), "  ")
		require.True(t, ok, line)
		content, err := os.ReadFile(filepath.FromSlash(file))
		require.NoError(t, err)
		sum := sha256.Sum256(content)
		require.Equal(t, want, hex.EncodeToString(sum[:]), "%s changed: run 'make bpf'", file)
		listed[file] = true
	}
	for _, pattern := range []string{"bpf/*.c", "bpf/*.h", "*.o"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			require.True(t, listed[filepath.ToSlash(file)], "%s is not in bpf/SHA256SUMS: run 'make bpf'", file)
		}
	}
}
