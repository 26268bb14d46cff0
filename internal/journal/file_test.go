package journal

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
)

func TestFileContinues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	for range 2 {
		f, err := OpenFile(path, minFileSize)
		require.NoError(t, err)
		for _, one := range night() {
			require.NoError(t, f.Write(one))
		}
		require.NoError(t, f.Close())
		require.NoError(t, f.Close())
		require.Zero(t, f.Dropped())
	}
	facts, err := collect(Open(path))
	require.NoError(t, err)
	requireSame(t, append(night(), night()...), facts)
}

func TestFileCutsTornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	for cut := range len(write(t, night()[:1])) {
		require.NoError(t, os.WriteFile(path, write(t, night()[:1])[:cut], 0o600))
		f, err := OpenFile(path, minFileSize)
		require.NoError(t, err)
		require.NoError(t, f.Write(night()[1]))
		require.NoError(t, f.Close())
		facts, err := collect(Open(path))
		require.NoError(t, err)
		requireSame(t, night()[1:2], facts)
	}

	torn := string(write(t, night()[:2])) + `{"kind":"log","fact":{"body":"` + strings.Repeat("x", 10000)
	require.NoError(t, os.WriteFile(path, []byte(torn), 0o600))
	f, err := OpenFile(path, minFileSize)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	facts, err := collect(Open(path))
	require.NoError(t, err)
	requireSame(t, night()[:2], facts)
}

func TestFileRefusesWhatIsNoJournal(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "passwd")
	for _, text := range []string{"root:x:0:0\n", "no newline"} {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, err := OpenFile(path, minFileSize)
		require.ErrorContains(t, err, "no journal of this version: move it away or choose another path")
		kept, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, string(kept))
	}
	_, err := OpenFile(dir, minFileSize)
	require.Error(t, err)
	_, err = OpenFile(filepath.Join(dir, "none", "journal"), minFileSize)
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = OpenFile(filepath.Join(dir, "small"), minFileSize-1)
	require.ErrorContains(t, err, "must be at least 1048576 bytes")
}

func TestFileIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	f, err := OpenFile(path, minFileSize)
	require.NoError(t, err)
	start := time.Unix(1_795_246_860, 0).UTC()
	const total = 30_000
	for i := range total {
		require.NoError(t, f.Write(fact.Log{At: start.Add(time.Duration(i) * time.Second), Body: strings.Repeat("x", i%300)}))
	}
	require.NoError(t, f.Close())
	require.Zero(t, f.Dropped())

	var size int64
	for _, p := range []string{path, Rotated(path)} {
		info, statErr := os.Stat(p)
		require.NoError(t, statErr)
		size += info.Size()
	}
	require.LessOrEqual(t, size, int64(minFileSize))

	facts, err := collect(Open(Rotated(path), path))
	require.NoError(t, err)
	require.Greater(t, len(facts), 1000)
	for i, f := range facts {
		require.Equal(t, start.Add(time.Duration(total-len(facts)+i)*time.Second), f.When(), "the latest facts, without a hole")
	}
}

// A device without space stands for a full disk.
func TestFileSurvivesFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	f, err := OpenFile(path, minFileSize)
	require.NoError(t, err)
	good := f.file
	f.file, err = os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no /dev/full here:", err)
	}
	require.NoError(t, f.Write(night()[0]))
	require.NoError(t, f.Write(night()[1]))
	require.ErrorContains(t, f.Flush(), "no space left on device")
	require.EqualValues(t, 2, f.Dropped())

	require.NoError(t, f.file.Close())
	f.file = good
	require.NoError(t, f.Write(night()[2]))
	require.NoError(t, f.Close())
	facts, err := collect(Open(path))
	require.NoError(t, err)
	requireSame(t, night()[2:3], facts)
}

// After a failed rotation the file is opened again, and never grows beyond its
// half.
func TestFileSurvivesFailedRotation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.MkdirAll(filepath.Join(Rotated(path), "in the way"), 0o700))
	f, err := OpenFile(path, minFileSize)
	require.NoError(t, err)
	failed := 0
	for range 10_000 {
		if f.Write(fact.Log{At: time.Unix(1, 0), Body: strings.Repeat("x", 500)}) != nil {
			failed++
		}
	}
	require.Positive(t, failed)
	_ = f.Close()
	require.Positive(t, f.Dropped())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.LessOrEqual(t, info.Size(), int64(minFileSize/2+10*len(header)*failed))
	facts, err := collect(Open(path))
	require.NoError(t, err)
	require.Len(t, facts, int(10_000-f.Dropped()))

	require.NoError(t, os.RemoveAll(Rotated(path)))
	f, err = OpenFile(path, minFileSize)
	require.NoError(t, err)
	require.NoError(t, f.Write(night()[0]))
	require.NoError(t, f.Close())
}
