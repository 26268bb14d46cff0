package procscan

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/process"
)

// withoutDescriptors marks a test binary that may use up its descriptors.
const withoutDescriptors = "PROCSCAN_WITHOUT_DESCRIPTORS"

// TestScanWithoutDescriptors runs itself again, because the limit is of the
// whole process.
func TestScanWithoutDescriptors(t *testing.T) {
	if os.Getenv(withoutDescriptors) != "" {
		scanWithoutDescriptors(t)
		return
	}
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^TestScanWithoutDescriptors$", "-test.v")
	cmd.Env = append(os.Environ(), withoutDescriptors+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "--- PASS: TestScanWithoutDescriptors")
}

func scanWithoutDescriptors(t *testing.T) {
	t.Helper()
	tr := newTree(t)
	tr.process(fake{pid: 7, comm: "a", threads: 2, user: 1, running: 1, read: 10})
	tr.thread(7, 7, 100)
	tr.thread(7, 8, 50)
	s := tr.open(Options{Switches: true})
	require.InDelta(t, 150e-9, scan(t, s).Processes[0].RunDelay, 1e-15)

	tr.process(fake{pid: 7, comm: "a", threads: 2, user: 2, running: 2, read: 20, voluntary: 3})
	tr.thread(7, 7, 110)
	tr.thread(7, 8, 60)
	tr.process(fake{pid: 9, comm: "b", read: 5, exe: "/bin/b"})
	next, err := unix.Dup(0)
	require.NoError(t, err)
	require.NoError(t, unix.Close(next))
	var before unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	// No descriptor at all, then those for the process's directory, for a file
	// of it, and for a thread's file.
	for spare := range 3 {
		limit := unix.Rlimit{Cur: uint64(next + spare), Max: before.Max}
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
		snap, err := s.Scan()
		require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before))
		require.ErrorIs(t, err, unix.EMFILE)
		require.EqualError(t, err, "read process 7 in "+tr.root+": too many open files: raise LimitNOFILE of the service, or ulimit -n")
		require.Empty(t, snap.Processes)
		require.Len(t, s.entries, 1, "it is kept")
	}
	snap := scan(t, s)
	require.Len(t, snap.Processes, 2)
	require.True(t, snap.Processes[0].Ran && snap.Processes[1].Ran)
	p := *snap.Processes[0]
	require.InDelta(t, 170e-9, p.RunDelay, 1e-15, "it goes on, and no thread counts twice")
	require.Equal(t, int64(20), p.ReadBytes)
	require.Equal(t, int64(3), p.VoluntarySwitches)
	require.True(t, p.Known.Has(process.KnowsIO|process.KnowsRunDelay|process.KnowsSwitches))
	require.Equal(t, "/bin/b", snap.Processes[1].Executable)
	scanWithFewDescriptors(t)
}

// Kept files give way to what must be read.
func scanWithFewDescriptors(t *testing.T) {
	t.Helper()
	tr := manyFakes(t, 60)
	s := tr.open(Options{})
	scan(t, s)
	require.Equal(t, 60, s.kept)
	tr.process(fake{pid: 30, comm: "a", running: 1, read: 3})
	for pid := 61; pid <= 64; pid++ {
		tr.process(fake{pid: pid, comm: "young"})
	}
	highest := int32(0)
	for _, e := range s.entries {
		highest = max(highest, e.kept[schedstatFile])
	}
	var before unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	limit := unix.Rlimit{Cur: uint64(highest) + 1, Max: before.Max}
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	for { // Those below are taken too.
		if _, err := unix.Dup(0); err != nil {
			break
		}
	}
	snap, err := s.Scan()
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before))
	require.NoError(t, err)
	require.Len(t, snap.Processes, 64)
	require.Equal(t, int64(3), snap.Processes[29].ReadBytes)
	require.Equal(t, 30, s.maxKept)
	for range describeEvery {
		require.Len(t, scan(t, s).Processes, 64)
		require.LessOrEqual(t, s.kept, 30, "for good")
	}
}

func TestShortagesNameTheirCure(t *testing.T) {
	for errno, want := range map[unix.Errno]string{
		unix.EMFILE: "LimitNOFILE", unix.ENFILE: "fs.file-max", unix.ENOMEM: "MemoryMax",
	} {
		require.True(t, short(errno))
		require.ErrorContains(t, withCure(errno), want)
		require.ErrorIs(t, withCure(errno), errno)
	}
	require.False(t, short(unix.EACCES))
	require.Equal(t, error(unix.EACCES), withCure(unix.EACCES))
}

func TestScanKeepsAProcessWhoseStatIsTorn(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{})
	f := fake{pid: 7, comm: "a", threads: 2, user: 1, running: 1}
	tr.process(f)
	tr.thread(7, 7, 100)
	tr.thread(7, 8, 50)
	scan(t, s)
	tr.remove("7/task/8") // its delay is only known from before

	tr.write("7/stat", f.stat()[:20])
	snap := scan(t, s)
	require.Empty(t, snap.Processes)
	require.Equal(t, 1, snap.Unreadable)

	f.threads, f.user = 1, 2
	tr.process(f)
	require.InDelta(t, 150e-9, scan(t, s).Processes[0].RunDelay, 1e-15)
}

func TestScanReadsOfOneProcessOnly(t *testing.T) {
	tr := newTree(t)
	s := tr.open(Options{})
	old := fake{pid: 7, comm: "old", start: 100, read: 10}
	tr.process(old)
	dir, stat := filepath.Join(tr.root, "7"), filepath.Join(tr.root, "7", "stat")
	tr.remove("7/stat")
	require.NoError(t, unix.Mkfifo(stat, 0o600))
	swapped := make(chan error, 1)
	go func() {
		// Opens when the scan does, which then waits for what is written.
		w, err := os.OpenFile(stat, os.O_WRONLY, 0)
		if err == nil {
			err = os.Rename(dir, filepath.Join(tr.root, "ended"))
		}
		if err == nil {
			err = os.CopyFS(dir, os.DirFS(filepath.Join(tr.root, "stranger")))
		}
		if err == nil {
			_, err = w.WriteString(old.stat())
		}
		swapped <- err
		_ = w.Close()
	}()
	require.NoError(t, os.MkdirAll(filepath.Join(tr.root, "stranger"), 0o700))
	tr.write("stranger/io", fake{read: 5000}.io())
	p := scan(t, s).Processes[0]
	require.NoError(t, <-swapped)
	require.Equal(t, int64(10), p.ReadBytes, "not what the next with its PID read")
}

func TestFilesOfAnEndedProcessFail(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	require.NoError(t, cmd.Start())
	root, err := openDir("/proc")
	require.NoError(t, err)
	defer func() { require.NoError(t, root.close()) }()
	proc, errno := root.pathAt(append([]byte(strconv.Itoa(cmd.Process.Pid)), 0))
	require.Zero(t, errno)
	defer func() { require.NoError(t, proc.close()) }()
	_, errno = proc.read([]byte("stat\x00"), make([]byte, 1024))
	require.Zero(t, errno)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	_, errno = proc.read([]byte("stat\x00"), make([]byte, 1024))
	require.True(t, gone(errno), "%v", errno)
}
