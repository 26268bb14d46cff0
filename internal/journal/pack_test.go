package journal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/fact"
)

// pack packs journals and gives the facts of what came out, and its size.
func pack(t *testing.T, o Packing, journals ...[]byte) ([]fact.Fact, int) {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for i, text := range journals {
		paths = append(paths, filepath.Join(dir, string(rune('a'+i))))
		require.NoError(t, os.WriteFile(paths[i], text, 0o600))
	}
	packed := filepath.Join(dir, "packed.gz")
	require.NoError(t, Pack(packed, o, paths...))
	first, err := os.ReadFile(packed)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(first, gzipMagic))
	require.NoError(t, Pack(packed, o, paths...))
	again, err := os.ReadFile(packed)
	require.NoError(t, err)
	require.Equal(t, first, again, "the same facts give the same bytes")
	left, err := filepath.Glob(filepath.Join(dir, ".pack-*"))
	require.NoError(t, err)
	require.Empty(t, left)
	facts, err := collect(Open(packed))
	require.NoError(t, err)
	return facts, len(first)
}

func TestPackKeepsAll(t *testing.T) {
	var many []fact.Fact
	for range 100 {
		many = append(many, night()...)
	}
	facts, size := pack(t, Packing{}, write(t, many))
	requireSame(t, many, facts)
	require.Less(t, size, len(write(t, many))/20)

	two, _ := pack(t, Packing{}, write(t, night()), write(t, night()))
	requireSame(t, append(night(), night()...), two)

	torn, _ := pack(t, Packing{}, append(write(t, night()), `{"kind":"tick","fa`...))
	requireSame(t, night(), torn)
}

func TestPackKeepsStrangersToThemselves(t *testing.T) {
	at := time.Unix(1_790_000_000, 0).UTC()
	described := func(pid, parent int64, command string, args ...string) fact.Described {
		return fact.Described{
			At: at, Process: fact.Process{Host: "h", PID: pid, Start: 1}, Parent: parent, Group: pid, Command: command, Executable: "/home/me/build/" + command,
			Args: args, Workload: fact.Workload{Type: "job", Name: command, PID: pid},
		}
	}
	unit := described(70, 1, "sshd", "sshd", "-D")
	unit.Workload = fact.Workload{Type: "unit", Name: "ssh.service"}
	use := func(pid int64, name string) fact.Use {
		return fact.Use{At: at, Over: time.Second, Process: fact.Process{Host: "h"}, Workload: fact.Workload{Type: "job", Name: name, PID: pid}, Amounts: fact.Unknown()}
	}
	told := []fact.Fact{
		fact.Serves{At: at, Service: "shop", Process: fact.Process{Host: "h", PID: 40}},
		fact.Serves{At: at, Service: "shop", Process: fact.Process{Host: "h"}},
		fact.Service{At: at, Name: "db", Processes: []string{"postgres"}},
		described(12, 11, "restic", "restic", "backup", "/home/me/build/data"), // told before its parent
		described(11, 10, "sh", "sh", "-c", "restic backup"),
		described(10, 5, "culprit", "/home/me/build/culprit", "lab"),
		described(20, 1, "nbdkit", "nbdkit", "/run/lab-1/slow.img"),
		described(30, 1, "mysql", "mysql", "--password=secret"),
		described(40, 1, "nginx", "nginx"),
		described(50, 1, "postgres", "postgres"),
		described(60, 0, "kthreadd"),
		unit,
		use(30, "mysql"), use(11, "sh"),
		fact.Mark{At: at, Name: "note", Text: "in /home/me/build/x"},
	}
	facts, _ := pack(t, Packing{Root: 10, Folder: "/run/lab-1", Replace: []string{"/home/me/build", "/opt"}}, write(t, told))
	commands := map[int64]string{}
	for i, f := range facts {
		require.Equal(t, told[i].Kind(), f.Kind())
		switch f := f.(type) {
		case fact.Described:
			commands[f.Process.PID] = f.Command + " " + f.Workload.Name
			if f.Command == Stranger {
				require.Empty(t, f.Executable)
				require.Empty(t, f.Args)
			}
		case fact.Use:
			require.Equal(t, map[int64]string{30: Stranger, 11: "sh"}[f.Workload.PID], f.Workload.Name)
		}
	}
	require.Equal(t, map[int64]string{
		10: "culprit culprit", 11: "sh sh", 12: "restic restic", 20: "nbdkit nbdkit", 40: "nginx nginx", 50: "postgres postgres",
		30: "stranger stranger", 60: "stranger stranger", 70: "stranger stranger-1.service",
	}, commands)
	require.Equal(t, []string{"restic", "backup", "/opt/data"}, facts[3].(fact.Described).Args)
	require.Equal(t, "/opt/culprit", facts[5].(fact.Described).Executable)
	require.Equal(t, "in /opt/x", facts[14].(fact.Mark).Text)
	require.Equal(t, []string{"restic", "backup", "/home/me/build/data"}, told[3].(fact.Described).Args, "what was told stays")
}

// Of what strangers run and mount, and of the host, nothing is told, and what
// belonged together still does.
func TestPackTellsNoNames(t *testing.T) {
	at := time.Unix(1_790_000_000, 0).UTC()
	described := func(pid, parent int64, cgroup, unit string) fact.Described {
		return fact.Described{
			At: at, Process: fact.Process{Host: "db7.secret.example", PID: pid}, Parent: parent, Command: "sh", Args: []string{"sh", "db7.secret.example:22"}, Cgroup: cgroup,
			Workload: fact.Workload{Type: "unit", Name: unit},
		}
	}
	const host, other = "db7.secret.example", "nas.secret.example"
	told := []fact.Fact{
		described(11, 10, "/system.slice/lab.service/jobs", "lab.service"),
		described(70, 1, "/system.slice/secret.service/worker", "secret.service"),
		described(71, 1, "/docker/secret", "docker-secret"),
		fact.Use{At: at, Process: fact.Process{Host: host}, Workload: fact.Workload{Type: "unit", Name: "secret.service"}, Amounts: fact.Unknown()},
		fact.Use{At: at, Process: fact.Process{Host: host}, Workload: fact.Workload{Type: fact.OtherWorkloads, Name: "others"}, Amounts: fact.Unknown()},
		fact.Pressure{At: at, Host: host, Cgroup: "/system.slice/secret.service"},
		fact.Pressure{At: at, Host: host, Cgroup: "/system.slice/lab.service"},
		fact.Pressure{At: at, Host: host},
		fact.Paging{At: at, Host: host, Cgroup: "/user.slice/user@secret.service/docker-secret.scope"},
		fact.Filesystem{At: at, Host: host, Mountpoint: "/", Device: "vda1"},
		fact.Filesystem{At: at, Host: host, Mountpoint: "/srv/lab-1/disk", Device: "loop0"},
		fact.Filesystem{At: at, Host: host, Mountpoint: "/home/secret", Device: "nas:/secret"},
		fact.Shared{At: at, Name: "nfs", Resource: "disk", Hosts: []string{host, other}},
		fact.WorksFor{At: at, Server: fact.Process{Host: host, PID: 1}, Client: fact.Process{Host: other, PID: 2}},
		fact.Log{At: at, Host: host, Unit: "secret.service", Body: host + " kernel: the disk of " + other + " fails"},
		fact.Mark{At: at, Text: "on " + host},
		fact.Recalled{At: at, State: []byte(`{"host":"` + host + `"}`)},
	}
	facts, _ := pack(t, Packing{Root: 10, Folder: "/srv/lab-1"}, write(t, told))
	require.Equal(t, []string{"/system.slice/lab.service/jobs", "/system.slice/stranger-1.service/stranger-2", "/docker/stranger-1"},
		[]string{facts[0].(fact.Described).Cgroup, facts[1].(fact.Described).Cgroup, facts[2].(fact.Described).Cgroup})
	require.Equal(t, []string{"lab.service", "stranger-1.service", "docker-stranger-1"},
		[]string{facts[0].(fact.Described).Workload.Name, facts[1].(fact.Described).Workload.Name, facts[2].(fact.Described).Workload.Name})
	require.Equal(t, []string{"sh", "host:22"}, facts[0].(fact.Described).Args)
	require.Equal(t, "stranger-1.service", facts[3].(fact.Use).Workload.Name)
	require.Equal(t, "others", facts[4].(fact.Use).Workload.Name)
	require.Equal(t, "/system.slice/stranger-1.service", facts[5].(fact.Pressure).Cgroup)
	require.Equal(t, "/system.slice/lab.service", facts[6].(fact.Pressure).Cgroup)
	require.Empty(t, facts[7].(fact.Pressure).Cgroup)
	require.Equal(t, "/user.slice/user@stranger-1.service/docker-stranger-1.scope", facts[8].(fact.Paging).Cgroup)
	require.Equal(t, fact.Filesystem{At: at, Host: "host", Mountpoint: "/", Device: "vda1"}, facts[9])
	require.Equal(t, fact.Filesystem{At: at, Host: "host", Mountpoint: "/srv/lab-1/disk", Device: "loop0"}, facts[10])
	require.Equal(t, fact.Filesystem{At: at, Host: "host", Mountpoint: "/stranger-3"}, facts[11])
	require.Equal(t, []string{"host", "host-2"}, facts[12].(fact.Shared).Hosts)
	require.Equal(t, "host kernel: the disk of host-2 fails", facts[14].(fact.Log).Body)
	for _, f := range facts {
		require.NotContains(t, fmt.Sprintf("%+v", f), "secret")
		if r, ok := f.(fact.Recalled); ok {
			require.JSONEq(t, `{"host":"host"}`, string(r.State))
		}
	}
	require.Equal(t, []string{host, other}, told[12].(fact.Shared).Hosts, "what was told stays")
}

func TestPackRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "passwd")
	require.NoError(t, os.WriteFile(path, []byte("root:x:0:0\n"), 0o600))
	require.ErrorContains(t, Pack(filepath.Join(dir, "out"), Packing{}, path), "passwd: line 1: this is no journal")
	require.ErrorContains(t, Pack(filepath.Join(dir, "out"), Packing{Root: 1}, path), "passwd: line 1: this is no journal")
	require.ErrorContains(t, Pack(filepath.Join(dir, "out"), Packing{}, filepath.Join(dir, "none")), "no such file")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}
