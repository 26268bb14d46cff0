package procfsreceiver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// mountsOf reads a mountinfo as that of the host's first process.
func mountsOf(t *testing.T, mountinfo string) []*procfs.MountInfo {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "proc/1"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "proc/1/mountinfo"), []byte(mountinfo), 0o600))
	h, err := newHost(hostRoot(root), metadata.NewMetricsBuilder(metadata.NewDefaultMetricsBuilderConfig(), receivertest.NewNopSettings(metadata.Type)))
	require.NoError(t, err)
	all, err := h.mounts()
	require.NoError(t, err)
	return all
}

func TestBlockMounts(t *testing.T) {
	require.Equal(t, []mount{
		{"/dev/vda1", "/", "ext4"},
		{"/dev/mapper/vg-data", "/srv/a b", "xfs"},
		{"tank/home", "/home", "zfs"},
	}, blockMounts(mountsOf(t, strings.Join([]string{
		`21 27 254:1 /etc/hosts /etc/hosts rw,relatime - ext4 /dev/vda1 rw`,
		`27 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,discard`,
		`28 27 253:0 / /srv/a\040b rw,relatime - xfs /dev/mapper/vg-data rw`,
		`29 27 0:40 / /home rw - zfs tank/home rw`,
		`30 27 0:41 / /mnt/nas rw - nfs4 nas:/export rw`,
		`31 27 7:1 / /snap/core rw - squashfs /dev/loop1 rw`,
		`32 27 254:2 / /boot ro,relatime - ext4 /dev/vda2 rw`,
		`33 27 254:3 / /broken rw,relatime - ext4 /dev/vda3 ro`,
		`34 27 8:1 / /usb rw - fuseblk /dev/sda1 rw`,
		`35 27 0:5 / /dev rw - devtmpfs devtmpfs rw`,
	}, "\n")+"\n")))

	var many strings.Builder
	for i := range 2 * maxFilesystems {
		fmt.Fprintf(&many, "%d 1 8:%d / /m%d rw - ext4 /dev/sd%d rw\n", i, i, i, i)
	}
	require.Len(t, blockMounts(mountsOf(t, many.String())), maxFilesystems)
}

func TestFilesystemsOfAFixture(t *testing.T) {
	s, _ := started(t, testConfig(fixture(t)))
	var st unix.Statfs_t
	require.NoError(t, unix.Statfs(s.cfg.RootPath, &st))
	sizes := map[string]int64{}
	for _, p := range points(metricsOf(scraped(t, s))["system.filesystem.usage"]).All() {
		a := p.Attributes().AsRaw()
		sizes[a["system.filesystem.state"].(string)] = p.IntValue()
		delete(a, "system.filesystem.state")
		require.Equal(t, map[string]any{
			"system.device": "/dev/vda1", "system.filesystem.mountpoint": "/", "system.filesystem.type": "ext4", "system.filesystem.mode": "rw",
		}, a)
	}
	require.Len(t, sizes, 3)
	require.Equal(t, int64(st.Blocks)*st.Frsize, sizes["free"]+sizes["used"]+sizes["reserved"])
	require.Positive(t, sizes["free"])
}

// The file systems of this host are asked at most every ten seconds.
func TestFilesystemsOfThisHost(t *testing.T) {
	mb := metadata.NewMetricsBuilder(metadata.NewDefaultMetricsBuilderConfig(), receivertest.NewNopSettings(metadata.Type))
	h, err := newHost("", mb)
	require.NoError(t, err)
	asked, ask := 0, h.filesystems.read
	h.filesystems.read = func() ([]filesystem, error) { asked++; return ask() }
	at := time.Unix(1000, 0)
	for i := range 20 {
		if err := h.recordFilesystems(at.Add(time.Duration(i) * time.Second)); err != nil {
			require.ErrorIs(t, err, errNoFilesystem)
			t.Skip("in a sandbox without a disk")
		}
	}
	require.Equal(t, 2, asked)
	p := points(metricsOf(mb.Emit())["system.filesystem.usage"])
	require.GreaterOrEqual(t, p.Len(), 3*20)
	require.Equal(t, pcommon.NewTimestampFromTime(at), p.At(0).Timestamp())
}
