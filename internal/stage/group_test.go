package stage

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSettingsOfLimits(t *testing.T) {
	for _, test := range []struct {
		name   string
		v1, v2 []setting
		of     func(Version) []setting
	}{
		{
			"memory",
			[]setting{{"memory.limit_in_bytes", "1048576"}},
			[]setting{{"memory.max", "1048576"}},
			func(v Version) []setting { return memorySettings(v, 1<<20) },
		},
		{
			"memory lifted",
			[]setting{{"memory.limit_in_bytes", "-1"}},
			[]setting{{"memory.max", "max"}},
			func(v Version) []setting { return memorySettings(v, 0) },
		},
		{
			"cpu",
			[]setting{{"cpu.cfs_period_us", "100000"}, {"cpu.cfs_quota_us", "150000"}, {"cpu.shares", "10240"}},
			[]setting{{"cpu.max", "150000 100000"}, {"cpu.weight", "1000"}},
			func(v Version) []setting { return cpuSettings(v, 1.5, 1000) },
		},
		{
			"cpu lifted",
			[]setting{{"cpu.cfs_period_us", "100000"}, {"cpu.cfs_quota_us", "-1"}, {"cpu.shares", "1024"}},
			[]setting{{"cpu.max", "max 100000"}, {"cpu.weight", "100"}},
			func(v Version) []setting { return cpuSettings(v, 0, 0) },
		},
		{
			"io, one lifted",
			[]setting{{"blkio.throttle.read_bps_device", "254:0 5000"}, {"blkio.throttle.write_bps_device", "254:0 0"}},
			[]setting{{"io.max", "254:0 rbps=5000 wbps=max"}},
			func(v Version) []setting { return ioSettings(v, IOLimit{Device: "254:0", ReadBPS: 5000}) },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			require.Equal(t, test.v1, test.of(V1))
			require.Equal(t, test.v2, test.of(V2))
		})
	}
}

func TestLimitsThatMeanNothingAreRefused(t *testing.T) {
	for _, test := range []struct {
		limits Limits
		want   string
	}{
		{Limits{MemoryBytes: -1}, "memory limit"},
		{Limits{CPUCores: -1}, "CPU limit"},
		{Limits{CPUCores: 0.001}, "CPU limit"},
		{Limits{CPUWeight: 10_001}, "CPU weight"},
		{Limits{IO: []IOLimit{{Device: "sda", ReadBPS: 1}}}, "major:minor"},
		{Limits{IO: []IOLimit{{Device: "8:0", WriteBPS: -1}}}, "must not be negative"},
	} {
		require.ErrorContains(t, test.limits.check(), test.want)
	}
}

// On a host with version 2 alone, all of a group is one directory.
func TestGroupOfVersion2(t *testing.T) {
	top := t.TempDir()
	s, err := New(Options{Base: t.TempDir(), ID: "run"})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(top, "cgroup.subtree_control"), nil, 0o600))
	s.abilities = Abilities{hierarchies: hierarchies{unified: top, offered: controllers}}

	g, err := s.Group("job", Limits{MemoryBytes: 4096, CPUCores: 0.5, IO: []IOLimit{{Device: "8:0", WriteBPS: 7}}})
	require.NoError(t, err)
	require.Equal(t, filepath.Join(top, "culprit-lab-run_job"), g.Unified(), "beside all others, so that its weight acts")
	for file, want := range map[string]string{
		"memory.max": "4096", "cpu.max": "50000 100000", "io.max": "8:0 rbps=max wbps=7",
		"../cgroup.subtree_control": "+io", // the last of them, as these are plain files
	} {
		text, missing := os.ReadFile(filepath.Join(g.Unified(), file))
		require.NoError(t, missing)
		require.Equal(t, want, string(text))
	}
	require.Equal(t, []string{filepath.Join(g.Unified(), "cgroup.procs"), "--", "true"}, g.Wrap([]string{"true"})[4:])
	things, err := readLedger(s.Dir())
	require.NoError(t, err)
	require.Contains(t, things, controller{Group: top, Name: "memory", Run: "run"})
	require.Contains(t, things, controlGroup{g.Unified()})
	controlGroup{g.Unified()}.resume(t.Context())
	text, err := os.ReadFile(filepath.Join(g.Unified(), "io.max"))
	require.NoError(t, err)
	require.Equal(t, "8:0 rbps=max wbps=max", string(text))
	require.NoError(t, os.RemoveAll(top)) // plain files do not go with their directory as those of control groups do
	require.NoError(t, s.Close())
}

func TestControllersOfVersion2AreDisabledAgain(t *testing.T) {
	s := newStage(t, NeedGroup)
	h := s.abilities.hierarchies
	unused := slices.IndexFunc(h.offered, func(name string) bool {
		enabled, err := controller{Group: h.unified, Name: name}.enabled()
		return err == nil && !enabled
	})
	if unused < 0 {
		t.Skip("this host has no controller of version 2 that is not enabled")
	}
	name := h.offered[unused]
	_, err := s.Group("site", Limits{})
	require.NoError(t, err)
	require.NoError(t, s.enable(name))
	c := controller{Group: h.unified, Name: name, Run: s.id}
	enabled, err := c.enabled()
	require.NoError(t, err)
	require.True(t, enabled)
	require.NoError(t, s.Close())
	enabled, err = c.enabled()
	require.NoError(t, err)
	require.False(t, enabled)
}

func TestControllersStayWhereOthersHaveLimits(t *testing.T) {
	for _, test := range []struct {
		name, group, file, text string
		stays                   bool
	}{
		{"another run's quota", "culprit-lab-run-2_job", "cpu.max", "50000 100000\n", true},
		{"a weight", "system.slice", "cpu.weight", "200\n", true},
		{"no limit", "system.slice", "cpu.max", "max 100000\n", false},
		{"the run's own", "culprit-lab-run_job", "cpu.max", "50000 100000\n", false},
		{"of another controller", "system.slice", "memory.max", "4096\n", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			top := t.TempDir()
			require.NoError(t, os.Mkdir(filepath.Join(top, test.group), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(top, test.group, test.file), []byte(test.text), 0o600))
			control := filepath.Join(top, "cgroup.subtree_control")
			require.NoError(t, os.WriteFile(control, []byte("cpu memory\n"), 0o600))
			did, err := controller{Group: top, Name: "cpu", Run: "run"}.undo(t.Context())
			require.NoError(t, err)
			require.Equal(t, !test.stays, did)
			text, err := os.ReadFile(control)
			require.NoError(t, err)
			require.Equal(t, !test.stays, string(text) == "-cpu")
		})
	}
}

func TestWrappedCommandsGetTheirArgumentsAndAreInTheGroup(t *testing.T) {
	s := newStage(t, NeedGroup, NeedCPU)
	g, err := s.Group("site", Limits{CPUWeight: 50})
	require.NoError(t, err)
	args := []string{"a b", "", "$(id)", "`id`", "--", `"'\`, "*", "line\nline", "-n"}
	argv := g.Wrap(append([]string{"/bin/sh", "-c", `cat /proc/self/cgroup; printf '%s\0' "$@"`, "sh"}, args...))
	out, err := exec.Command(argv[0], argv[1:]...).Output()
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(string(out), strings.Join(args, "\x00")+"\x00"), string(out))
	require.Contains(t, string(out), "culprit-lab-"+s.id)

	missing := append([]string{"/bin/sh", "-c", enter, "sh", "/none/cgroup.procs", "--"}, "echo", "ran")
	out, err = exec.Command(missing[0], missing[1:]...).Output()
	require.Error(t, err)
	require.Empty(t, out, "what is not in its group does not run")
	_, err = s.Group("site", Limits{})
	require.ErrorContains(t, err, "exists already")
}

func TestRunningProcessesAreMovedAndKilled(t *testing.T) {
	s := newStage(t, NeedGroup, NeedCPU)
	g, err := s.Group("job", Limits{})
	require.NoError(t, err)
	argv := g.Wrap([]string{"/bin/sh", "-c", "sleep 1000 & (sleep 1000 & wait) & echo ready; wait"})
	cmd := exec.Command(argv[0], argv[1:]...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = out.Read(make([]byte, 8))
	require.NoError(t, err)
	family := controlGroup{g.home}.members()
	require.Contains(t, family, cmd.Process.Pid)
	require.GreaterOrEqual(t, len(family), 3)

	require.NoError(t, g.SetCPU(0.5, 0), "a controller that comes later takes the members along")
	for _, place := range g.places() {
		require.Subset(t, controlGroup{place}.members(), family)
	}
	require.NoError(t, s.Close())
	_ = cmd.Wait() // killed
	for _, pid := range family {
		require.False(t, exists(filepath.Join("/proc", strconv.Itoa(pid), "exe"))())
	}
}

func TestCPULimit(t *testing.T) {
	s := newStage(t, NeedGroup, NeedCPU)
	g, err := s.Group("job", Limits{CPUCores: 0.2})
	require.NoError(t, err)
	spin := g.Wrap([]string{"timeout", "1", "sh", "-c", "while :; do :; done"})
	used := func() time.Duration {
		cmd := exec.Command(spin[0], spin[1:]...)
		_ = cmd.Run() // ended by timeout
		return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	limited := used()
	require.NoError(t, g.SetCPU(0, 0))
	free := used()
	t.Logf("CPU time in a second: %v limited, %v free", limited, free)
	require.Less(t, limited, 350*time.Millisecond)
	require.Greater(t, free, limited)
}

func TestMemoryLimit(t *testing.T) {
	s := newStage(t, NeedGroup, NeedMemory)
	g, err := s.Group("job", Limits{MemoryBytes: 32 << 20})
	require.NoError(t, err)
	greedy := g.Wrap([]string{"dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1"})
	err = exec.Command(greedy[0], greedy[1:]...).Run()
	var failed *exec.ExitError
	require.ErrorAs(t, err, &failed)
	status, ok := failed.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	require.Equal(t, syscall.SIGKILL, status.Signal(), "the kernel ends what takes more")
	require.NoError(t, g.SetMemory(0))
	require.NoError(t, exec.Command(greedy[0], greedy[1:]...).Run())
}

func TestIOLimitOfTheDeviceBelow(t *testing.T) {
	s := newStage(t, NeedGroup, NeedIO, NeedDisk)
	d, err := s.Disk(t.Context(), DiskSpec{Name: "disk", SizeMiB: 64})
	require.NoError(t, err)
	if d.Backing == "" {
		t.Skip("the lab's directory lies on no block device: set " + dirVariable)
	}
	const rate = 10_000_000
	g, err := s.Group("job", Limits{IO: []IOLimit{{Device: d.Backing, ReadBPS: rate, WriteBPS: rate}}})
	require.NoError(t, err)
	const bytes = 20 << 20
	file := filepath.Join(d.Path, "file")
	write := g.Wrap([]string{"dd", "if=/dev/zero", "of=" + file, "bs=1M", "count=" + strconv.Itoa(bytes>>20), "oflag=direct", "status=none"})
	read := g.Wrap([]string{"dd", "if=" + file, "of=/dev/null", "bs=1M", "iflag=direct", "status=none"})
	took := func(argv []string) time.Duration {
		begin := time.Now()
		out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput()
		require.NoError(t, err, string(out))
		return time.Since(begin)
	}
	should := time.Duration(float64(bytes) / rate * float64(time.Second))
	wrote := took(write)
	limited := took(read)
	require.NoError(t, g.SetIO(IOLimit{Device: d.Backing}))
	free := took(read)
	t.Logf("20 MiB at 10 MB/s should take %v: write %v, read %v, read without limit %v", should, wrote, limited, free)
	for _, d := range []time.Duration{wrote, limited} {
		require.Greater(t, d, should*7/10)
		require.Less(t, d, should*4)
	}
	require.Less(t, free, limited/2)
}

func TestStalledGroupIsUndoneWithoutHanging(t *testing.T) {
	s := newStage(t, NeedGroup, NeedIO, NeedDisk)
	d, err := s.Disk(t.Context(), DiskSpec{Name: "disk", SizeMiB: 32})
	require.NoError(t, err)
	if d.Backing == "" {
		t.Skip("the lab's directory lies on no block device: set " + dirVariable)
	}
	g, err := s.Group("job", Limits{IO: []IOLimit{{Device: d.Backing, WriteBPS: 1000}}})
	require.NoError(t, err)
	write := g.Wrap([]string{"sh", "-c", `echo ready; exec dd if=/dev/zero of="$1" bs=1M count=8 oflag=direct`, "sh", filepath.Join(d.Path, "file")})
	stalled := start(write)
	require.NoError(t, stalled.err)
	require.Eventually(t, func() bool { return inFlight(t, d.Name) }, 5*time.Second, poll, "the write waits")
	begin := time.Now()
	require.NoError(t, s.Close())
	require.Less(t, time.Since(begin), 10*time.Second)
}
