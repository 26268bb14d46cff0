package stage

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLedgerGivesBackWhatWasWritten(t *testing.T) {
	dir := t.TempDir()
	l, err := newLedger(dir)
	require.NoError(t, err)
	things := []thing{
		owner{process{PID: 1, Start: 2, Boot: "b"}},
		process{PID: 3, Start: 4, Boot: "b"},
		controlGroup{"/sys/fs/cgroup/x"},
		controller{Group: "/sys/fs/cgroup", Name: "io"},
		loop{"/x/disk.img"},
		mount{"/x/disk"},
		diskServer{Socket: "/x/s", Control: "/x/c"},
		link{"culprit0"},
	}
	for _, t2 := range things {
		require.NoError(t, l.write(t2))
	}
	require.NoError(t, l.file.Close())
	got, err := readLedger(dir)
	require.NoError(t, err)
	require.Equal(t, things, got)

	text, err := os.ReadFile(filepath.Join(dir, ledgerName))
	require.NoError(t, err)
	for cut := range len(text) {
		got, err := parseLedger(text[:cut])
		require.NoError(t, err, "a last line without its end is no error")
		require.Equal(t, len(got), countLines(text[:cut]))
	}
}

func countLines(text []byte) int {
	n := 0
	for _, c := range text {
		if c == '\n' {
			n++
		}
	}
	return n
}

func TestBrokenLinesOfALedgerAreTold(t *testing.T) {
	for _, test := range []struct{ name, line, want string }{
		{"no JSON", "{", "line 2 of the ledger cannot be read"},
		{"unknown kind", `{"kind":"moon","thing":{}}`, `unknown kind "moon"`},
		{"wrong thing", `{"kind":"mount","thing":{"path":1}}`, "line 2 of the ledger cannot be read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := `{"kind":"mount","thing":{"path":"/a"}}` + "\n" + test.line + "\n" + `{"kind":"mount","thing":{"path":"/b"}}` + "\n"
			things, err := parseLedger([]byte(text))
			require.ErrorContains(t, err, test.want)
			require.Equal(t, []thing{mount{"/a"}, mount{"/b"}}, things, "the others are undone all the same")
		})
	}
}
