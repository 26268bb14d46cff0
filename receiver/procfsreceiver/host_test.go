package procfsreceiver

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/procfs/blockdevice"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

func TestIsPartition(t *testing.T) {
	names := map[string]bool{}
	for _, n := range []string{
		"sda", "sda1", "sdaa", "sdaa12", "nvme0n1", "nvme0n1p2", "mmcblk0", "mmcblk0boot0", "mmcblk0p1",
		"dm-1", "dm-10", "md0", "md0p1", "md127", "loop0", "loop0p1", "xvda1", "ram1", "vda", "p1", "1",
	} {
		names[n] = true
	}
	for name := range names {
		want := map[string]bool{
			"sda1": true, "sdaa12": true, "nvme0n1p2": true, "mmcblk0p1": true, "md0p1": true, "loop0p1": true,
		}[name]
		require.Equal(t, want, isPartition(name, names), name)
	}
}

func TestWholeDisks(t *testing.T) {
	device := func(name string, reads, inFlight uint64) blockdevice.Diskstats {
		return blockdevice.Diskstats{
			Info:    blockdevice.Info{DeviceName: name},
			IOStats: blockdevice.IOStats{ReadIOs: reads, IOsInProgress: inFlight},
		}
	}
	var got []string
	for _, d := range wholeDisks([]blockdevice.Diskstats{
		device("vda", 0, 0), device("vda1", 5, 0), device("loop0", 0, 0), device("loop1", 1, 0), device("loop2", 0, 1), device("ram0", 0, 0),
	}) {
		got = append(got, d.DeviceName)
	}
	require.Equal(t, []string{"vda", "loop1", "loop2"}, got, "a disk without I/O stays, a loop device does not")
}

func TestParseVMStat(t *testing.T) {
	stat, err := parseVMStat([]byte("x 1\npgfault 12\npgmajfault 3\n"))
	require.NoError(t, err)
	require.Equal(t, map[string]int64{"pgfault": 12, "pgmajfault": 3}, stat)
	_, known := refaultsOf(stat)
	require.False(t, known)

	_, err = parseVMStat([]byte("pgmajfault 3\n"))
	require.EqualError(t, err, "no counter pgfault")
	_, err = parseVMStat([]byte("pgfault many\n"))
	require.ErrorContains(t, err, "counter pgfault")
}

func FuzzParseVMStat(f *testing.F) {
	b, err := os.ReadFile("testdata/hostfs/proc/vmstat")
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		stat, err := parseVMStat(b)
		if err != nil {
			return
		}
		for name, n := range stat {
			require.Contains(t, vmstatNames, name)
			require.GreaterOrEqual(t, n, int64(0))
		}
	})
}

func TestParseCgroupMounts(t *testing.T) {
	for name, c := range map[string]struct {
		in      string
		v1      []string
		unified string
		memory  string
	}{
		"unified":       {in: "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n", unified: "/sys/fs/cgroup"},
		"blank in path": {in: `30 23 0:26 / /a\040b rw - cgroup2 none rw` + "\n", unified: "/a b"},
		"older":         {in: "1 1 0:1 / /c rw - cgroup cgroup rw,cpu,cpuacct\n1 1 0:1 / /d rw - cgroup cgroup rw,blkio\n", v1: []string{"rw", "cpu", "cpuacct", "rw", "blkio"}},
		"memory":        {in: "1 1 0:1 / /m rw - cgroup cgroup rw,memory\n", v1: []string{"rw", "memory"}, memory: "/m"},
		"rubbish":       {in: "cgroup\n - \n1 2 3 - cgroup2 x y\n1 2 3 4 5 - cgroup\n"},
	} {
		found := parseCgroupMounts(c.in)
		require.Equal(t, c.v1, found.v1, name)
		require.Equal(t, c.unified, found.unified, name)
		require.Equal(t, c.memory, found.memory, name)
	}
}

// present lists what a host can.
func present(t *testing.T, root hostRoot) []string {
	t.Helper()
	all, err := root.capabilities()
	require.NoError(t, err)
	require.Len(t, all, len(metadata.MapAttributeRootcauseCapability))
	var names []string
	for _, c := range all {
		if c.present && c.name != metadata.AttributeRootcauseCapabilityRoot {
			names = append(names, c.name.String())
		}
	}
	return names
}

func TestCapabilities(t *testing.T) {
	root := fixture(t)
	require.Equal(t, []string{"sched_autogroup", "psi", "systemd", "cgroup_v1_cpu", "cgroup_v2_io", "cgroup_v2_memory", "io_scheduler_bfq"}, present(t, hostRoot(root)))

	write := func(name, content string) {
		t.Helper()
		require.NoError(t, os.WriteFile(filepath.Join(root, name), []byte(content), 0o600))
	}
	write("sys/fs/cgroup/unified/cpu.weight", "100\n")
	require.NotContains(t, present(t, hostRoot(root)), "sched_autogroup", "the share of a container overrules it")
	require.NoError(t, os.Remove(filepath.Join(root, "sys/fs/cgroup/unified/cpu.weight")))
	write("proc/sys/kernel/sched_autogroup_enabled", "0\n")
	write("sys/block/sda/queue/scheduler", "none [mq-deadline] bfq\n")
	write("sys/fs/cgroup/unified/cgroup.controllers", "cpuset cpu memory\n")
	require.NoError(t, os.RemoveAll(filepath.Join(root, "run")))
	require.Equal(t, []string{"psi", "cgroup_v1_cpu", "cgroup_v2_cpu", "cgroup_v2_memory"}, present(t, hostRoot(root)))

	require.Empty(t, present(t, hostRoot(t.TempDir())), "what cannot be read is not there")
}

func TestSchedulers(t *testing.T) {
	root := fixture(t)
	write := func(disk, content string) {
		t.Helper()
		dir := filepath.Join(root, "sys/block", disk, "queue")
		require.NoError(t, os.MkdirAll(dir, 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "scheduler"), []byte(content), 0o600))
	}
	write("sda", "none [mq-deadline] bfq\n")
	write("nvme0n1", "[none] mq-deadline\n")
	write("dm-1", "none\n")
	write("cciss!c0d0", "[bfq] none\n")
	require.NoError(t, os.Mkdir(filepath.Join(root, "sys/block/sr0"), 0o700))
	require.Equal(t, map[string]string{
		"sda": "mq-deadline", "nvme0n1": "none", "dm-1": "none", "cciss/c0d0": "bfq",
	}, hostRoot(root).schedulers(), "what has none to read is left out")
	require.Empty(t, hostRoot(t.TempDir()).schedulers())
}

func TestSlow(t *testing.T) {
	reads, fail := 0, error(nil)
	s := slow[int]{read: func() (int, error) { reads++; return reads, fail }}
	at := time.Unix(1000, 0)
	value := func(at time.Time) int {
		t.Helper()
		v, err := s.get(at)
		require.NoError(t, err)
		return v
	}
	require.Equal(t, 1, value(at))
	require.Equal(t, 1, value(at.Add(59*time.Second)))
	require.Equal(t, 2, value(at.Add(time.Minute)))
	require.Equal(t, 3, value(at), "a clock that goes back keeps nothing")

	fail = errors.New("gone")
	_, err := s.get(at.Add(time.Hour))
	require.EqualError(t, err, "gone")
}

func TestHostRoot(t *testing.T) {
	require.Equal(t, "/proc/stat", hostRoot("").proc("stat"))
	require.Equal(t, "/hostfs/sys/class", hostRoot("/hostfs").sys("class"))
	require.Equal(t, "self", hostRoot("/").self())
	require.Equal(t, "1", hostRoot("/hostfs").self())

	own, err := os.Hostname()
	require.NoError(t, err)
	require.Equal(t, own, hostRoot(t.TempDir()).hostName(), "a root without etc/hostname")
}

func TestCount(t *testing.T) {
	require.Equal(t, int64(7), count(7))
	require.Equal(t, int64(math.MaxInt64), count(math.MaxUint64))
}

// What each source of the host costs.
func BenchmarkHost(b *testing.B) {
	h, err := newHost("", metadata.NewMetricsBuilder(metadata.NewDefaultMetricsBuilderConfig(), receivertest.NewNopSettings(metadata.Type)))
	require.NoError(b, err)
	for _, src := range h.sources() {
		b.Run(src.metrics[0], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, src.record(time.Now()))
				h.mb.Emit()
			}
		})
	}
}
