package stage

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"
)

func TestDisk(t *testing.T) {
	s := newStage(t, NeedDisk)
	d, err := s.Disk(t.Context(), DiskSpec{Name: "disk", SizeMiB: 32})
	require.NoError(t, err)
	var disk syscall.Statfs_t
	require.NoError(t, syscall.Statfs(d.Path, &disk))
	require.InDelta(t, 32<<20, float64(disk.Blocks)*float64(disk.Bsize), 8<<20)
	require.Equal(t, d.Device, "7:"+strings.TrimPrefix(d.Name, "loop"))
	if d.Backing != "" {
		require.FileExists(t, filepath.Join("/sys/dev/block", d.Backing, "dev"))
		require.NoFileExists(t, filepath.Join("/sys/dev/block", d.Backing, "partition"))
	}

	_, err = s.Disk(t.Context(), DiskSpec{Name: "disk", SizeMiB: 32})
	require.ErrorContains(t, err, "exists already")
	_, err = s.Disk(t.Context(), DiskSpec{Name: "small", SizeMiB: 1})
	require.ErrorContains(t, err, "16 at least")
	_, err = s.Disk(t.Context(), DiskSpec{Name: "huge", SizeMiB: 1 << 40})
	require.ErrorContains(t, err, dirVariable)
	_, err = s.Disk(t.Context(), DiskSpec{Name: "bounded", SizeMiB: 32, Within: &Group{}})
	require.ErrorContains(t, err, "disk bounded cannot be within a group")
}

func TestDiskInUseIsUndoneAllTheSame(t *testing.T) {
	s := newStage(t, NeedDisk)
	d, err := s.Disk(t.Context(), DiskSpec{Name: "disk", SizeMiB: 32})
	require.NoError(t, err)
	file, err := os.Create(filepath.Join(d.Path, "open"))
	require.NoError(t, err)
	begin := time.Now()
	require.ErrorContains(t, s.Close(), "still in use")
	require.Less(t, time.Since(begin), 15*time.Second)
	mounted, err := mount{d.Path}.mounted()
	require.NoError(t, err)
	require.False(t, mounted, "out of sight")
	require.NoError(t, file.Close())
	require.NoError(t, s.Close(), "what failed is tried again")
	require.NoDirExists(t, s.Dir())
}

func TestCopiesOfAMountGoWithIt(t *testing.T) {
	s := newStage(t, NeedDisk)
	d, err := s.Disk(t.Context(), DiskSpec{Name: "disk", SizeMiB: 32})
	require.NoError(t, err)
	copier := exec.Command("unshare", "--mount", "--propagation", "slave", "sh", "-c", `mount; read wait`) // as ip netns exec does
	stdin, err := copier.StdinPipe()
	require.NoError(t, err)
	out, err := copier.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, copier.Start())
	seen := bufio.NewScanner(out)
	for seen.Scan() && !strings.Contains(seen.Text(), d.Path) {
	}
	require.NoError(t, seen.Err())
	require.Contains(t, seen.Text(), d.Path)
	require.NoError(t, s.Close())
	require.Empty(t, loop{File: filepath.Join(s.Dir(), "disk.img")}.devices())
	require.NoError(t, stdin.Close())
	_, _ = io.Copy(io.Discard, out)
	_ = copier.Wait() // nothing was there to read
}

func TestFaultyDisk(t *testing.T) {
	s := newStage(t, NeedFaultyDisk)
	d, err := s.FaultyDisk(t.Context(), DiskSpec{Name: "faulty", SizeMiB: 32})
	require.NoError(t, err)
	require.Empty(t, d.Backing)
	file := filepath.Join(d.Path, "file")
	require.NoError(t, os.WriteFile(file, make([]byte, 1<<20), 0o600))
	read := func() (time.Duration, error) {
		require.NoError(t, Evict(t.Context(), file))
		begin := time.Now()
		_, failed := os.ReadFile(file)
		return time.Since(begin), failed
	}
	healthy, err := read()
	require.NoError(t, err)

	require.NoError(t, Evict(t.Context(), file))
	require.NoError(t, d.Pause())
	done := make(chan error, 1)
	go func() {
		_, failed := os.ReadFile(file)
		done <- failed
	}()
	require.Eventually(t, func() bool { return inFlight(t, d.Name) }, 5*time.Second, poll, "the read waits")
	require.Empty(t, done)
	require.NoError(t, d.Resume())
	require.NoError(t, <-done)

	ctx, stop := context.WithCancel(t.Context())
	slow := make(chan error, 1)
	go func() { slow <- d.Slow(ctx, 120*time.Millisecond, 40*time.Millisecond) }()
	slowest := time.Duration(0)
	for range 8 {
		took, failed := read()
		require.NoError(t, failed)
		slowest = max(slowest, took)
	}
	stop()
	require.NoError(t, <-slow)
	after, err := read()
	require.NoError(t, err)
	t.Logf("read of 1 MiB: %v healthy, up to %v slow, %v after", healthy, slowest, after)
	require.Greater(t, slowest, 50*time.Millisecond)
	require.Less(t, after, 100*time.Millisecond, "it is not left paused")
}

func TestRateOfADiskHoldsOutsideOfItsGroup(t *testing.T) {
	s := newStage(t, NeedFaultyDisk, NeedIO)
	if s.Backing() == "" {
		t.Skip("the run's directory is on no block device")
	}
	group, err := s.Group("disk", Limits{})
	require.NoError(t, err)
	d, err := s.FaultyDisk(t.Context(), DiskSpec{Name: "bounded", SizeMiB: 32, Within: group})
	require.NoError(t, err)
	file := filepath.Join(d.Path, "file")
	require.NoError(t, os.WriteFile(file, make([]byte, 4<<20), 0o600))
	require.NoError(t, Evict(t.Context(), file, filepath.Join(s.Dir(), "bounded.img")))
	require.NoError(t, group.SetIO(IOLimit{Device: s.Backing(), ReadBPS: 4 << 20}))

	begin := time.Now()
	_, err = os.ReadFile(file) // by this process, which is in no group of the run
	require.NoError(t, err)
	t.Logf("read 4 MiB at 4 MiB/s in %v", time.Since(begin))
	require.Greater(t, time.Since(begin), 700*time.Millisecond)

	require.NoError(t, group.SetIO(IOLimit{Device: s.Backing()}))
	require.NoError(t, d.Unmount(t.Context()))
	require.NoError(t, d.Unmount(t.Context()), "it may be called twice")
	points, err := mountPoints()
	require.NoError(t, err)
	require.NotContains(t, points, d.Path)
}

// inFlight says whether a request of the device is under way.
func inFlight(t *testing.T, device string) bool {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/sys/block", device, "inflight"))
	require.NoError(t, err)
	return strings.Join(strings.Fields(string(text)), " ") != "0 0"
}

func TestPausedDiskIsUndoneWithoutHanging(t *testing.T) {
	for _, test := range []struct {
		name  string
		spoil func(t *testing.T, d *FaultyDisk)
	}{
		{"paused", func(t *testing.T, d *FaultyDisk) {
			t.Helper()
			require.NoError(t, d.Pause())
		}},
		{"paused by programs that do not obey", func(t *testing.T, d *FaultyDisk) {
			t.Helper()
			require.NoError(t, d.Pause())
			require.NoError(t, os.Remove(d.server.Control))
		}},
		{"slow", func(t *testing.T, d *FaultyDisk) {
			t.Helper()
			slow := make(chan error, 1)
			go func() { slow <- d.Slow(context.Background(), 100*time.Millisecond, time.Millisecond) }()
			t.Cleanup(func() { require.ErrorIs(t, <-slow, errClosed) })
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newStage(t, NeedFaultyDisk)
			d, err := s.FaultyDisk(t.Context(), DiskSpec{Name: "faulty", SizeMiB: 32})
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(d.Path, "dirty"), make([]byte, 1<<20), 0o600))
			test.spoil(t, d)
			begin := time.Now()
			require.NoError(t, s.Close())
			t.Logf("undone in %v", time.Since(begin))
			require.Less(t, time.Since(begin), 10*time.Second)
			require.NoDirExists(t, s.Dir())
			require.ErrorIs(t, d.Pause(), errClosed)
		})
	}
}

func TestNetwork(t *testing.T) {
	s := newStage(t, NeedNetwork)
	n, err := s.Network(t.Context(), NetworkSpec{Mbps: 20, QueueKiB: 200})
	require.NoError(t, err)
	require.True(t, netip.MustParsePrefix("10.97.0.0/16").Contains(n.Inside))
	require.Equal(t, n.Outside.Next(), n.Inside)

	listener, err := net.Listen("tcp", netip.AddrPortFrom(n.Outside, 0).String())
	require.NoError(t, err)
	defer listener.Close()
	const bytes = "5000000" // 2 s at 20 Mbit/s
	argv := n.Wrap(self(t, "send", listener.Addr().String(), bytes))
	begin := time.Now()
	sender := exec.Command(argv[0], argv[1:]...)
	sender.Stderr = os.Stderr
	require.NoError(t, sender.Start())
	conn, err := listener.Accept()
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, conn)
	require.NoError(t, err)
	took := time.Since(begin)
	require.NoError(t, sender.Wait())
	t.Logf("5 MB at 20 Mbit/s: %v", took)
	require.Greater(t, took, 1500*time.Millisecond)
	require.Less(t, took, 8*time.Second)

	_, err = s.Network(t.Context(), NetworkSpec{})
	require.ErrorContains(t, err, "0 Mbit/s")
}

func TestProbeNamesTheCure(t *testing.T) {
	a := Probe()
	for _, need := range []Need{NeedGroup, NeedIO, NeedMemory, NeedCPU, NeedDisk, NeedNetwork, NeedFaultyDisk} {
		if missing := a.Missing(need); missing != "" {
			require.Contains(t, missing, ": ", "what is missing, and the cure")
		}
	}

	t.Setenv("PATH", t.TempDir())
	_, err := findProgram("nbdfuse")
	require.EqualError(t, err, "nbdfuse is not installed: install the Debian package libnbd-bin")
	require.Equal(t, "nbdkit is not installed: install the Debian package nbdkit", probePrograms("nbdkit"))
}

func TestMountOfIsTheLastOfTheLongest(t *testing.T) {
	mounts := []*procfs.MountInfo{
		{MountPoint: "/", Source: "root"},
		{MountPoint: "/srv", Source: "hidden"},
		{MountPoint: "/srv", Source: "srv"},
		{MountPoint: "/srv/a", Source: "a"},
		{MountPoint: `/srv/my\040shop`, Source: "shop"},
	}
	for path, want := range map[string]string{
		"/": "root", "/srvx": "root", "/srv": "srv", "/srv/b": "srv", "/srv/a/b": "a", "/srv/ab": "srv", "/srv/my shop/x": "shop",
	} {
		require.Equal(t, want, mountOf(mounts, path).Source, path)
	}
	require.Nil(t, mountOf(mounts[1:], "/home"))
}

func TestWholeDiskOfWhatIsOnNone(t *testing.T) {
	_, err := WholeDisk("/proc/self")
	require.ErrorContains(t, err, "(proc), which is on no block device of this host")
	_, err = WholeDisk("/no/such/directory")
	require.ErrorContains(t, err, "find the device below /no/such/directory")
}
