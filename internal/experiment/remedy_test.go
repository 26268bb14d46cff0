package experiment_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/catalog"
	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/experiment"
)

func shipped(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := files.Default()
	require.NoError(t, err)
	return c
}

// everything names all options that rules need.
const everything = "--sockopts --limit-upload --compression --read-concurrency --upload-ratelimit --bwlimit --transfers --checkpoint --threads --compress --max-rate"

// plain reads 8 MiB of the device by second, and touches each byte four times.
var plain = experiment.Plain{Bytes: 32 << 20, DiskRead: 8 << 20, CPU: 1}

func parse(t *testing.T, line string) experiment.Command {
	t.Helper()
	return experiment.Parse(strings.Fields(line), shipped(t))
}

func TestParse(t *testing.T) {
	tests := []struct{ line, tool, why string }{
		{"restic -r /repo backup /srv", "restic", ""},
		{"/usr/bin/restic backup /srv", "restic", ""},
		{"nice -n 10 ionice -c3 -n 7 restic backup /srv", "restic", ""},
		{"env A=b RESTIC_REPOSITORY=/r restic backup /srv", "restic", ""},
		{"taskset -c 1 xz -9 -c file", "xz", ""},
		{"timeout -k 5 60 chrt -i 0 borg create ::a /srv", "borg", ""},
		{"sudo -u backup rsync -a /srv/ host:/b/", "rsync", ""},
		{"ip netns exec web rsync -a /srv h:/b", "rsync", ""},
		{"nsenter -t 7 -n -- restic backup /srv", "restic", ""},
		{"ip link show", "", "no command follows"},
		{"restic snapshots", "", "restic with these arguments is no backup that the catalogue knows"},
		{"my-backup", "", "my-backup with these arguments is no backup"},
		{"sh -c tar|xz", "", "a line for a shell"},
		{"nice bash -c x", "", "a line for a shell"},
		{"nice -n 10", "", "no command follows nice -n 10"},
		{"a-name-longer-than-the-kernel-keeps", "", "is no backup"},
	}
	for _, tt := range tests {
		c := parse(t, tt.line)
		require.Equal(t, tt.tool, c.Tool, tt.line)
		if tt.why == "" {
			require.Empty(t, c.Why, tt.line)
			continue
		}
		require.Contains(t, c.Why, tt.why, tt.line)
	}
}

// with is the command line of a remedy.
func with(t *testing.T, line, id string) string {
	t.Helper()
	c := parse(t, line)
	can, cannot := experiment.Remedies(experiment.Host{Autogrouped: true, Help: everything}, c)
	for _, r := range can {
		if r.ID == id {
			argv, why := r.Argv(c, plain)
			if why != "" {
				return why
			}
			return strings.Join(argv, " ")
		}
	}
	for _, m := range cannot {
		if m.ID == id {
			return m.Why
		}
	}
	return "unknown"
}

func TestToolsAreToldTheirOwnOptions(t *testing.T) {
	tests := []struct{ line, id, want string }{
		{"restic backup /srv", "bandwidth_4", "restic backup /srv --limit-upload=2048 --limit-download=2048"},
		{"restic backup --limit-upload 9 /srv", "bandwidth_16", "restic backup /srv --limit-upload=512 --limit-download=512"},
		{"restic -r backup backup --compression=max -- /srv", "compress_less", "restic -r backup backup --compression=off -- /srv"},
		{"nice restic backup /srv", "one_thread", "nice env GOMAXPROCS=1 restic backup /srv"},
		{"restic backup /srv", "read_less", "restic backup /srv --read-concurrency=1"},
		{"borg create ssh://b/./r::a /srv", "bandwidth_4", "borg create ssh://b/./r::a /srv --upload-ratelimit=2048"},
		{"borg create u@host:r::a /srv", "bandwidth_4", "borg create u@host:r::a /srv --upload-ratelimit=2048"},
		{"borg create /r::a-{now:%H} /srv", "bandwidth_4", "borg limits only what it sends to a repository on another host, and the command names none"},
		{"borg create -C zstd,19 /r::a /srv", "compress_less", "borg create /r::a /srv --compression=lz4"},
		{"borg create -Czstd,19 /r::a /srv", "compress_less", "borg create /r::a /srv --compression=lz4"},
		{"borg create /r::a /srv", "compress_less", "borg compresses with lz4 already"},
		{"borg create /r::a /srv", "read_less", "borg has no option for it"},
		{"rsync -a --bwlimit=9 /srv h:/b", "bandwidth_4", "rsync -a /srv h:/b --bwlimit=2048"},
		{"rsync -a /srv h::b", "bandwidth_4", "rsync -a /srv h::b --bwlimit=2048 --sockopts=SO_SNDBUF=4096"},
		{"rsync -a --sockopts=TCP_NODELAY /srv rsync://h/b", "bandwidth_16", "rsync -a /srv rsync://h/b --bwlimit=512 --sockopts=SO_SNDBUF=4096"},
		{"rsync -az /srv h:/b", "compress_less", "rsync -az /srv h:/b --compress-level=1"},
		{"rsync -a /srv h:/b", "compress_less", "rsync does not compress without -z"},
		{"rclone sync /srv r:b", "bandwidth_4", "rclone sync /srv r:b --bwlimit=2048K"},
		{"rclone sync --transfers 8 /srv r:b", "read_less", "rclone sync /srv r:b --transfers=1 --checkers=1"},
		{"tar cJf a.tar.xz /srv", "compress_less", "env XZ_OPT=-0 GZIP=-1 ZSTD_CLEVEL=1 BZIP2=-1 tar cJf a.tar.xz /srv"},
		{"tar -cf zip.tar /srv", "compress_less", "tar does not compress here"},
		{"tar cf a.tar /srv", "bandwidth", "tar has no option for it, unless its output goes through a pipe with pv -L"},
		{"tar cf a.tar /srv", "pauses", "tar cf a.tar /srv --checkpoint=1000 --checkpoint-action=sleep=1"},
		{"xz -9 -T0 -c f", "compress_less", "xz -9 -T0 -c f -0"},
		{"xz -9 -T0 -c f", "one_thread", "xz -9 -c f -T1"},
		{"xz -9 -T 4 -c -- f", "one_thread", "xz -9 -c -T1 -- f"},
		{"zstd -19 f", "one_thread", "zstd uses one thread already"},
		{"zstd -19 --ultra f", "compress_less", "zstd -19 --ultra f -1"},
		{"pg_dump -Z9 shop", "compress_less", "pg_dump shop --compress=1"},
		{"pg_basebackup -D d", "bandwidth_4", "pg_basebackup -D d --max-rate=2048k"},
		{"pgbackrest --process-max=8 backup", "one_thread", "pgbackrest backup --process-max=1 --compress-level=1"},
		{"mysqldump shop", "bandwidth", "mysqldump has no option for it, unless its output goes through a pipe with pv -L"},
		{"sh -c x", "compress_less", "the command is a line for a shell: the options of the tools in it cannot be set from outside; name the tool itself as the command"},
		{"sh -c x", "autogroup", `sh -c echo 19 > /proc/self/autogroup && exec "$@" sh sh -c x`},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, with(t, tt.line, tt.id), "%s with %s", tt.line, tt.id)
	}
}

func TestWhatThisHostLacksIsTold(t *testing.T) {
	h := experiment.Host{
		Ungrouped: "no groups of sessions", NoNice: "no nice", NoIdleIO: "no bfq", NoCPUGroups: "no root",
		NoIOGroups: "no device", NoHelpReason: "restic is not there",
	}
	can, cannot := experiment.Remedies(h, parse(t, "restic backup /srv"))
	require.Len(t, can, 1, "one thread needs nothing")
	why := map[string]string{}
	for _, m := range cannot {
		require.NotContains(t, why, m.ID, "told once")
		require.NotEmpty(t, m.Title)
		why[m.ID] = m.Why
	}
	require.Equal(t, map[string]string{
		"nice": "no nice", "autogroup": "no groups of sessions", "ionice": "no bfq", "cpu_weight": "no root", "cpu_limit_4": "no root",
		"io_limit_4": "no device", "io_limit_16": "no device", "bandwidth_4": "restic is not there", "bandwidth_16": "restic is not there", "bandwidth_64": "restic is not there",
		"compress_less": "restic is not there", "read_less": "restic is not there",
	}, why)

	h.Help = "--limit-upload"
	_, cannot = experiment.Remedies(h, parse(t, "restic backup /srv"))
	require.Contains(t, cannot[len(cannot)-1].Why, "the help of restic does not name --read-concurrency")
}

func TestNiceIsNotTriedWhereItDoesNothing(t *testing.T) {
	require.Contains(t, with(t, "restic backup /srv", "nice"), "the scheduler groups tasks by session here")
	can, _ := experiment.Remedies(experiment.Host{Ungrouped: "no"}, parse(t, "restic backup /srv"))
	argv, why := can[0].Argv(parse(t, "restic backup /srv"), plain)
	require.Empty(t, why)
	require.Equal(t, []string{"nice", "-n", "19", "restic", "backup", "/srv"}, argv)
}

func TestAnOlderOptionStandsInForANewOne(t *testing.T) {
	c := parse(t, "borg create h:r::a /srv")
	can, cannot := experiment.Remedies(experiment.Host{Help: "--remote-ratelimit"}, c)
	var lines []string
	for _, r := range can {
		if strings.HasPrefix(r.ID, "bandwidth") {
			argv, _ := r.Argv(c, plain)
			lines = append(lines, strings.Join(argv, " "))
		}
	}
	require.Equal(t, []string{"borg create h:r::a /srv --remote-ratelimit=2048", "borg create h:r::a /srv --remote-ratelimit=512", "borg create h:r::a /srv --remote-ratelimit=128"}, lines)
	for _, m := range cannot {
		require.NotContains(t, m.ID, "bandwidth")
	}
}

func TestLimitsFollowWhatThePlainBackupUses(t *testing.T) {
	tests := []struct {
		id    string
		plain experiment.Plain
		want  experiment.Limits
		why   string
	}{
		{"cpu_weight", experiment.Plain{}, experiment.Limits{CPUWeight: 1}, ""},
		{"cpu_limit_4", experiment.Plain{CPU: 2}, experiment.Limits{CPUCores: 0.5}, ""},
		{"cpu_limit_4", experiment.Plain{CPU: 0.01}, experiment.Limits{}, "hardly uses the CPU"},
		{"io_limit_4", experiment.Plain{DiskRead: 8 << 20, DiskWrite: 4 << 20}, experiment.Limits{ReadBPS: 2 << 20, WriteBPS: 1 << 20}, ""},
		{"io_limit_16", experiment.Plain{DiskRead: 8 << 20}, experiment.Limits{ReadBPS: 512 << 10}, ""},
		{"io_limit_4", experiment.Plain{DiskRead: 100}, experiment.Limits{}, "hardly used the device"},
	}
	can, _ := experiment.Remedies(experiment.Host{}, parse(t, "restic backup /srv"))
	for _, tt := range tests {
		for _, r := range can {
			if r.ID != tt.id {
				continue
			}
			got, why := r.Group(tt.plain)
			require.Equal(t, tt.want, got, tt.id)
			require.Equal(t, tt.why == "", why == "")
			require.Contains(t, why, tt.why)
		}
	}
	c := parse(t, "rsync -a /srv h:/b")
	can, _ = experiment.Remedies(experiment.Host{Help: everything}, c)
	at := slices.IndexFunc(can, func(r experiment.Remedy) bool { return r.ID == "bandwidth_4" })
	_, why := can[at].Argv(c, experiment.Plain{})
	require.Equal(t, "the plain backup hardly read or wrote anything", why)
	argv, _ := can[at].Argv(c, experiment.Plain{Bytes: 8 << 20})
	require.Equal(t, "--bwlimit=1024", argv[len(argv)-1], "what is read from memory is written, too")
}

func TestWhatAPersonTypes(t *testing.T) {
	limits := experiment.Limits{CPUCores: 0.25, ReadBPS: 1000, WriteBPS: 2000}
	argv := []string{"restic", "backup", "/srv/my shop"}
	require.Equal(t, `systemd-run --scope -p CPUQuota=25% -p 'IOReadBandwidthMax=/dev/block/8:0 1000' -p 'IOWriteBandwidthMax=/dev/block/8:0 2000' restic backup '/srv/my shop'`,
		limits.Typed(experiment.Systemd, "8:0", argv))
	require.Equal(t, `(mkdir -p /sys/fs/cgroup/cpu/culprit-backup && echo '25000' > /sys/fs/cgroup/cpu/culprit-backup/cpu.cfs_quota_us && echo 0 > /sys/fs/cgroup/cpu/culprit-backup/cgroup.procs`+
		` && mkdir -p /sys/fs/cgroup/blkio/culprit-backup && echo '8:0 1000' > /sys/fs/cgroup/blkio/culprit-backup/blkio.throttle.read_bps_device`+
		` && echo '8:0 2000' > /sys/fs/cgroup/blkio/culprit-backup/blkio.throttle.write_bps_device && echo 0 > /sys/fs/cgroup/blkio/culprit-backup/cgroup.procs && exec restic backup '/srv/my shop')`,
		limits.Typed(experiment.Version1, "8:0", argv))
	require.Equal(t, `(echo +cpu > /sys/fs/cgroup/cgroup.subtree_control && mkdir -p /sys/fs/cgroup/culprit-backup && echo '1' > /sys/fs/cgroup/culprit-backup/cpu.weight && echo 0 > /sys/fs/cgroup/culprit-backup/cgroup.procs && exec tar)`,
		experiment.Limits{CPUWeight: 1}.Typed(experiment.Version2, "8:0", []string{"tar"}))
	require.Equal(t, "for p in $(cat /sys/fs/cgroup/cpu/culprit-backup/cgroup.procs); do echo $p > /sys/fs/cgroup/cpu/cgroup.procs; done; rmdir /sys/fs/cgroup/cpu/culprit-backup;"+
		" for p in $(cat /sys/fs/cgroup/blkio/culprit-backup/cgroup.procs); do echo $p > /sys/fs/cgroup/blkio/cgroup.procs; done; rmdir /sys/fs/cgroup/blkio/culprit-backup", limits.Undo(experiment.Version1))
	require.Equal(t, "for p in $(cat /sys/fs/cgroup/culprit-backup/cgroup.procs); do echo $p > /sys/fs/cgroup/cgroup.procs; done; rmdir /sys/fs/cgroup/culprit-backup", limits.Undo(experiment.Version2))
	require.Empty(t, limits.Undo(experiment.Systemd), "it ends with the backup")
	require.Equal(t, `'it'\''s' ''`, experiment.ShellLine([]string{"it's", ""}))
}

// TestWhatAPersonTypesWorks in the plainest shell.
func TestWhatAPersonTypesWorks(t *testing.T) {
	way, group, top := experiment.Version1, "/sys/fs/cgroup/cpu/culprit-backup", "/sys/fs/cgroup/cpu"
	if enabled, err := os.ReadFile("/sys/fs/cgroup/cgroup.subtree_control"); err == nil {
		way, group, top = experiment.Version2, "/sys/fs/cgroup/culprit-backup", "/sys/fs/cgroup"
		if !slices.Contains(strings.Fields(string(enabled)), "cpu") {
			t.Skip("the controller cpu would stay enabled")
		}
	}
	if unix.Access(top, unix.W_OK) != nil {
		t.Skip("no control group can be made below " + top)
	}
	if _, err := os.Stat(group); err == nil {
		t.Skip(group + " is there already")
	}
	for _, limits := range []experiment.Limits{{CPUWeight: 1}, {CPUCores: 0.5}} {
		out, err := exec.Command("sh", "-c", limits.Typed(way, "", []string{"cat", "/proc/self/cgroup"})).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "/culprit-backup\n")
		stays := exec.Command("sh", "-c", limits.Typed(way, "", []string{"sleep", "60"}))
		stays.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
		require.NoError(t, stays.Start())
		require.Eventually(t, func() bool {
			inside, missing := os.ReadFile(group + "/cgroup.procs")
			return missing == nil && len(inside) > 0
		}, 10*time.Second, 10*time.Millisecond)
		out, err = exec.Command("sh", "-c", limits.Undo(way)).CombinedOutput()
		require.NoError(t, err, string(out))
		require.NoDirExists(t, group, "while the backup runs, too")
		require.NoError(t, unix.Kill(-stays.Process.Pid, unix.SIGKILL))
		require.Error(t, stays.Wait(), "it was killed")
	}
}

// TestTheCataloguesOptionsAreTried: what the catalogue tells users to try is
// tried, unless it is no option of one run.
func TestTheCataloguesOptionsAreTried(t *testing.T) {
	lines := map[string]string{
		"restic": "restic backup /srv", "borg": "borg create -C zstd h:r::a /srv", "rsync": "rsync -az /srv h:/b",
		"rclone": "rclone copy /srv r:b", "pg_dump": "pg_dump shop", "pg_basebackup": "pg_basebackup -D d", "pgbackrest": "pgbackrest backup", "tar": "tar -czf a.tgz /srv",
	}
	for name, line := range lines {
		tool, ok := shipped(t).Tool(name)
		require.True(t, ok, name)
		c := parse(t, line)
		can, _ := experiment.Remedies(experiment.Host{Help: everything}, c)
		var tried []string
		for _, r := range can {
			argv, why := r.Argv(c, plain)
			require.Empty(t, why)
			tried = append(tried, argv...)
		}
		all := strings.Join(tried, " ")
		for _, remedy := range tool.Remedies {
			if remedy.Live || strings.Contains(remedy.Command, "|") || strings.Contains(remedy.Command, "without") {
				continue
			}
			for word := range strings.FieldsSeq(remedy.Command) {
				option, _, _ := strings.Cut(word, "=")
				if strings.HasPrefix(option, "--") {
					require.Contains(t, all, option, "%s: %s", name, remedy.Command)
				}
			}
		}
	}
}
