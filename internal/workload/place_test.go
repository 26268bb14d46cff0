package workload

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

const hex64 = "4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339c4c01db0b339c4c01"

var cgroups = []struct{ cgroup, kind, name, runtime string }{
	{"", "", "", ""},
	{"/", "", "", ""},
	{"/init.scope", "", "", ""},
	{"/system.slice", "", "", ""},
	{"/system.slice/nginx.service", "unit", "nginx.service", ""},
	{"/system.slice/system-postgresql.slice/postgresql@15-main.service", "unit", "postgresql@15-main.service", ""},
	{`/system.slice/systemd-fsck@dev-disk-by\x2duuid-1.service`, "unit", "systemd-fsck@dev-disk-by-uuid-1.service", ""},
	{"/system.slice/run-r2a7d0.scope", "unit", "run-r2a7d0.scope", ""},
	{"/user.slice/user-1000.slice/session-3.scope", "", "", ""},
	{"/user.slice/user-1000.slice/user@1000.service/init.scope", "", "", ""},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-firefox-99.scope", "", "", ""},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice/app-foo.service", "unit", "user@1000/app-foo.service", ""},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice/run-u7.scope", "unit", "user@1000/run-u7.scope", ""},
	{"/docker/" + hex64, "container", "4c01db0b339c", Docker},
	{"/system.slice/docker-" + hex64 + ".scope", "container", "4c01db0b339c", Docker},
	{"/system.slice/docker-" + hex64 + ".scope/system.slice/nginx.service", "container", "4c01db0b339c", Docker},
	{"/system.slice/docker.service", "unit", "docker.service", ""},
	{"/system.slice/containerd.service", "unit", "containerd.service", ""},
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod3f1a.slice/cri-containerd-" + hex64 + ".scope", "container", "4c01db0b339c", Containerd},
	{"/kubepods/besteffort/pod3f1a-22/" + hex64, "container", "4c01db0b339c", Containerd},
	{"/kubepods.slice/kubepods-pod3f1a.slice/crio-" + hex64 + ".scope", "container", "4c01db0b339c", CRIO},
	{"/kubepods.slice/kubepods-pod3f1a.slice/crio-conmon-" + hex64 + ".scope", "", "", ""},
	{"/machine.slice/libpod-" + hex64 + ".scope/container", "container", "4c01db0b339c", Podman},
	{"/machine.slice/libpod-conmon-" + hex64 + ".scope", "", "", ""},
	{"/libpod_parent/libpod-" + hex64, "container", "4c01db0b339c", Podman},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + hex64 + ".scope", "container", "4c01db0b339c", Podman},
	{"/lxc.payload.web-1/system.slice/ssh.service", "container", "web-1", LXC},
	{"/lxc/web-1", "container", "web-1", LXC},
	{`/machine.slice/machine-web\x2d1.scope/payload/init.scope`, "container", "web-1", Nspawn},
	{"/machine.slice/systemd-nspawn@web.service/payload", "container", "web", Nspawn},
	{`/machine.slice/machine-qemu\x2d1\x2dvm.scope`, "", "", ""},
	{"/docker/buildx", "", "", ""},
	{`/system.slice/a\xff\x2.service`, "unit", "a\uFFFD\\x2.service", ""},
}

func TestPlaceOfCgroup(t *testing.T) {
	for _, c := range cgroups {
		t.Run(c.cgroup, func(t *testing.T) {
			got := placeOf(c.cgroup)
			require.Equal(t, Type(c.kind), got.kind)
			require.Equal(t, c.name, got.name)
			require.Equal(t, c.runtime, got.runtime)
			require.True(t, strings.HasPrefix(c.cgroup, got.cgroup))
		})
	}
}

func FuzzPlaceOfCgroup(f *testing.F) {
	for _, c := range cgroups {
		f.Add(c.cgroup)
	}
	f.Fuzz(func(t *testing.T, cgroup string) {
		got := placeOf(cgroup)
		require.Equal(t, got.kind == "", got.name == "")
		require.Equal(t, got.kind == Container, got.runtime != "")
		require.True(t, strings.HasPrefix(cgroup, got.cgroup))
		require.True(t, !utf8.ValidString(cgroup) || utf8.ValidString(got.name))
	})
}

func FuzzScript(f *testing.F) {
	f.Add("sh", "-c", "/usr/local/bin/backup.sh >/dev/null")
	f.Add("python3", "-m", "http.server")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		require.NotContains(t, scriptOf([]string{a, b, c}), "/")
	})
}

func TestScriptOf(t *testing.T) {
	for want, args := range map[string][]string{
		"backup.sh":  {"/bin/bash", "/usr/local/bin/backup.sh", "--all"},
		"dump.py":    {"python3.11", "-u", "/opt/dump.py"},
		"rsync":      {"/bin/sh", "-c", "/usr/bin/rsync -a / /mnt"},
		"nightly.sh": {"bash", "-lc", "nightly.sh"},
	} {
		require.Equal(t, want, scriptOf(args))
	}
	for _, args := range [][]string{
		nil,
		{"-bash"},
		{"bash", "-i"},
		{"sh", "-c"},
		{"sh", "-c", "cd / && run-parts /etc/cron.daily"},
		{"sh", "-c", "[ -x /usr/sbin/anacron ] || true"},
		{"python3", "-m", "http.server"},
		{"sh", "-c", "A=1 b"},
	} {
		require.Empty(t, scriptOf(args), "%v", args)
	}
}
