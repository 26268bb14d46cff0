package procfsreceiver

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/procfs"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// maxFilesystems bounds the file systems that are told.
const maxFilesystems = 64

// filesystem is how full a mounted file system is, in bytes.
type filesystem struct {
	mount

	free     int64 // for everybody
	reserved int64 // for the superuser
	used     int64
}

// mount is where a file system on a block device is mounted.
type mount struct {
	device, point, kind string
}

var errNoFilesystem = errors.New("no file system on a block device is mounted that can be written to")

func (h *host) recordFilesystems(at time.Time) error {
	all, err := h.filesystems.get(at)
	if err != nil {
		return err
	}
	ts := pcommon.NewTimestampFromTime(at)
	for _, f := range all {
		for _, s := range []struct {
			state metadata.AttributeSystemFilesystemState
			bytes int64
		}{
			{metadata.AttributeSystemFilesystemStateFree, f.free},
			{metadata.AttributeSystemFilesystemStateReserved, f.reserved},
			{metadata.AttributeSystemFilesystemStateUsed, f.used},
		} {
			h.mb.RecordSystemFilesystemUsageDataPoint(ts, s.bytes, f.device, "rw", f.point, s.state, f.kind)
		}
	}
	return nil
}

// statFilesystems asks each file system. One that is not to be reached from here,
// or whose mount point may not be entered, is left out.
func (h *host) statFilesystems() ([]filesystem, error) {
	all, err := h.mounts()
	if err != nil {
		return nil, fmt.Errorf("read mountinfo: %w", err)
	}
	var told []filesystem
	for _, m := range blockMounts(all) {
		var st unix.Statfs_t
		if err := unix.Statfs(h.root.path(m.point), &st); err != nil || st.Blocks == 0 {
			continue
		}
		unit := uint64(max(cmp.Or(st.Frsize, st.Bsize), 0))
		told = append(told, filesystem{
			mount: m, free: count(st.Bavail * unit),
			reserved: count((st.Bfree - min(st.Bavail, st.Bfree)) * unit),
			used:     count((st.Blocks - min(st.Bfree, st.Blocks)) * unit),
		})
	}
	if len(told) == 0 {
		return nil, errNoFilesystem
	}
	return told, nil
}

// mounts are those of the host.
func (h *host) mounts() ([]*procfs.MountInfo, error) {
	pid, err := strconv.Atoi(h.root.self())
	if err != nil {
		return h.proc.GetMounts()
	}
	return h.proc.GetProcMounts(pid)
}

// readOnlyKinds are made once and always full.
var readOnlyKinds = []string{"squashfs", "iso9660", "udf", "erofs", "cramfs", "romfs"}

// blockMounts picks the file systems on block devices that can be written to, one
// place for each. Those of the network and of user space are not asked: statfs
// waits for their server, for ever if it is gone.
func blockMounts(all []*procfs.MountInfo) []mount {
	var picked []mount
	for _, m := range all {
		onDevice := strings.HasPrefix(m.Source, "/dev/") || m.FSType == "zfs"
		if !onDevice || strings.HasPrefix(m.FSType, "fuse") || slices.Contains(readOnlyKinds, m.FSType) || isReadOnly(m) {
			continue
		}
		found := mount{device: unescape.Replace(m.Source), point: unescape.Replace(m.MountPoint), kind: m.FSType}
		i := slices.IndexFunc(picked, func(p mount) bool { return p.device == found.device })
		switch {
		case i < 0 && len(picked) < maxFilesystems:
			picked = append(picked, found)
		case i >= 0 && len(found.point) < len(picked[i].point):
			picked[i] = found // a bind mount shows a part of it
		}
	}
	return picked
}

func isReadOnly(m *procfs.MountInfo) bool {
	_, here := m.Options["ro"]
	_, everywhere := m.SuperOptions["ro"]
	return here || everywhere
}

// unescape undoes what the kernel does to paths in mountinfo.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
