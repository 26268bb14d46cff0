package journal

import (
	"fmt"
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

// The older half of a journal is gone some day; what was learned in it is not.
func TestFileCarriesWhatWasLearned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	f, err := OpenFile(path, minFileSize)
	require.NoError(t, err)
	start := time.Unix(1_795_246_860, 0).UTC()
	learned := func(i int) fact.Recalled {
		return fact.Recalled{At: start.Add(time.Duration(i) * time.Second), State: []byte(fmt.Sprintf(`{"version":1,"second":%d}`, i))}
	}
	const total = 8_000
	for i := range total {
		if i%60 == 0 {
			require.NoError(t, f.Carry(learned(i)))
		}
		require.NoError(t, f.Write(fact.Log{At: start.Add(time.Duration(i) * time.Second), Body: strings.Repeat("x", i%150)}))
	}
	require.NoError(t, f.Close())

	younger, err := collect(Open(path))
	require.NoError(t, err)
	carried, ok := younger[0].(fact.Recalled)
	require.True(t, ok)
	first := int(younger[1].When().Sub(start) / time.Second)
	require.LessOrEqual(t, first-int(carried.At.Sub(start)/time.Second), 60+flushSize/100, "it was carried right before")
	require.False(t, younger[1].When().Before(carried.At), "what follows was not learned yet")
	require.Equal(t, learned(int(carried.At.Sub(start)/time.Second)), carried)
	for _, f := range younger[1:] {
		require.Equal(t, fact.KindLog, f.Kind())
	}

	all, err := collect(Open(Rotated(path), path))
	require.NoError(t, err)
	require.Equal(t, fact.KindLog, all[len(all)-len(younger)+1].Kind())
	begins := all[0].Kind() == fact.KindRecalled
	for _, f := range all[1:] {
		require.Equal(t, fact.KindLog, f.Kind(), "who reads the older half knows it")
	}
	older, err := os.ReadFile(Rotated(path))
	require.NoError(t, err)
	require.Equal(t, begins, strings.Contains(string(older), `"carried":true`))
}

func TestFileRefusesALineThatExceedsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	f, err := OpenFile(path, minFileSize)
	require.NoError(t, err)
	big := fact.Recalled{At: time.Unix(1, 0), State: []byte(`"` + strings.Repeat("x", minFileSize/2) + `"`)}
	require.ErrorContains(t, f.Write(big), "does not fit into half the journal")
	require.NoError(t, f.Carry(big), "it is left out")
	require.EqualValues(t, 1, f.Dropped())
	require.NoError(t, f.Write(night()[0]))
	require.NoError(t, f.Close())
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
