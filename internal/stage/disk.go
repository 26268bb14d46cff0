package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// DiskSpec says what disk to make.
type DiskSpec struct {
	Name    string
	SizeMiB int // at least 16
	// Within is the group of the program behind a faulty disk: its limits are those
	// of the disk, in whatever groups those are who use it. Nil for none, as it must
	// be for a disk without such a program.
	Within *Group
}

// Disk is a file system of its own, on a block device of its own.
type Disk struct {
	Path   string // where it is mounted
	Device string // its numbers, as "7:3"
	Name   string // as "loop3"
	// Backing is the whole block device below, as "254:0". Limits of the disk
	// belong there: those of the loop device itself delay requests before it counts
	// them, so that it seems idle. Empty where there is no such device.
	Backing string
}

// Disk makes a file in the run's directory and mounts a file system on it.
func (s *Stage) Disk(ctx context.Context, spec DiskSpec) (*Disk, error) {
	if spec.Within != nil {
		return nil, fmt.Errorf("disk %s cannot be within a group, because there is no program behind it: limit the groups of those who use it, or make a faulty disk", spec.Name)
	}
	if err := s.need(NeedDisk); err != nil {
		return nil, err
	}
	image, err := s.makeImage(ctx, spec)
	if err != nil {
		return nil, err
	}
	d, err := s.mountImage(ctx, spec.Name, image)
	if err != nil {
		return nil, fmt.Errorf("make disk %s: %w", spec.Name, err)
	}
	d.Backing = s.Backing()
	return d, nil
}

// Unmount ends a disk's use before the run is undone, once nobody uses it.
func (d *Disk) Unmount(ctx context.Context) error {
	_, err := mount{d.Path}.undo(ctx)
	return err
}

// Backing is the whole block device on which the run's directory lies; empty if
// there is none.
func (s *Stage) Backing() string { return backing(s.dir) }

// makeImage makes a file with an empty file system.
func (s *Stage) makeImage(ctx context.Context, spec DiskSpec) (string, error) {
	const least = 16 // below this there is no place for a journal
	if spec.SizeMiB < least {
		return "", fmt.Errorf("disk %s has %d MiB: it must have %d at least", spec.Name, spec.SizeMiB, least)
	}
	if err := s.reserve("disk", spec.Name); err != nil {
		return "", err
	}
	image := filepath.Join(s.dir, spec.Name+".img")
	if err := allocate(image, int64(spec.SizeMiB)<<20); err != nil {
		return "", fmt.Errorf("make disk %s with %d MiB: %w: free space, or set %s to a directory with more", spec.Name, spec.SizeMiB, err, dirVariable)
	}
	// All is written now, so that the kernel does nothing later, and nothing is
	// discarded, so that the file stays allocated.
	_, err := run(ctx, "mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", image)
	if err != nil {
		return "", fmt.Errorf("make disk %s: %w", spec.Name, err)
	}
	return image, nil
}

func allocate(path string, bytes int64) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // in the run's directory
	if err != nil {
		return err
	}
	return errors.Join(unix.Fallocate(int(file.Fd()), 0, 0, bytes), file.Close())
}

// mountImage mounts the file system in a file below the run's directory.
func (s *Stage) mountImage(ctx context.Context, name, image string) (*Disk, error) {
	l := loop{File: image}
	if err := s.record(l); err != nil {
		return nil, err
	}
	device, err := l.attach(ctx)
	if err != nil {
		return nil, err
	}
	d := &Disk{Path: filepath.Join(s.dir, name), Name: filepath.Base(device)}
	if d.Device, err = numbers(filepath.Join("/sys/block", d.Name)); err != nil {
		return nil, err
	}
	if err = os.Mkdir(d.Path, 0o755); err != nil { //nolint:gosec // servers with another user must get through
		return nil, err
	}
	if err = s.record(mount{d.Path}); err != nil {
		return nil, err
	}
	_, err = run(ctx, "mount", "-t", "ext4", "-o", "noatime,errors=continue", device, d.Path)
	return d, err
}

func numbers(sys string) (string, error) {
	text, err := os.ReadFile(filepath.Join(sys, "dev")) //nolint:gosec // below /sys
	if err != nil {
		return "", fmt.Errorf("read the numbers of a device: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// backing is the whole block device on which a directory lies; empty if there is
// none, as for tmpfs or overlayfs.
func backing(dir string) string {
	disk, err := WholeDisk(dir)
	if err != nil {
		return ""
	}
	whole, err := numbers(disk)
	if err != nil {
		return ""
	}
	return whole
}

// WholeDisk is the directory in /sys of the disk on which a file or directory
// lies, in place of a partition of it: only disks can have limits. It is an error
// if it lies on no block device.
func WholeDisk(path string) (string, error) {
	where, err := filepath.EvalSymlinks(path)
	if err == nil {
		where, err = filepath.Abs(where)
	}
	var stat unix.Stat_t
	if err == nil {
		err = unix.Stat(where, &stat)
	}
	if err != nil {
		return "", fmt.Errorf("find the device below %s: %w", path, err)
	}
	device := stat.Dev
	if unix.Major(device) == 0 { // btrfs and the like have numbers of their own
		if device, err = mountedDevice(where); err != nil {
			return "", err
		}
	}
	sys, err := filepath.EvalSymlinks(fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(device), unix.Minor(device)))
	if err != nil {
		return "", fmt.Errorf("find the device below %s: %w", path, err)
	}
	if _, err = os.Stat(filepath.Join(sys, "partition")); err == nil {
		sys = filepath.Dir(sys)
	}
	return sys, nil
}

// mountedDevice is the block device that is mounted where a path lies.
func mountedDevice(path string) (uint64, error) {
	mounts, err := procfs.GetMounts()
	if err != nil {
		return 0, fmt.Errorf("list the mounts: %w", err)
	}
	m := mountOf(mounts, path)
	if m == nil {
		return 0, fmt.Errorf("no file system is mounted at %s", path)
	}
	var stat unix.Stat_t
	if err := unix.Stat(mountEscapes.Replace(m.Source), &stat); err != nil || stat.Mode&unix.S_IFMT != unix.S_IFBLK {
		return 0, fmt.Errorf("%s is on %s (%s), which is on no block device of this host", path, mountEscapes.Replace(m.MountPoint), m.FSType)
	}
	return stat.Rdev, nil
}

// mountOf is the last mount that covers a path: it hides those before it.
func mountOf(mounts []*procfs.MountInfo, path string) *procfs.MountInfo {
	var best *procfs.MountInfo
	for _, m := range mounts {
		point := strings.TrimSuffix(mountEscapes.Replace(m.MountPoint), "/")
		if (path == point || strings.HasPrefix(path, point+"/")) && (best == nil || len(m.MountPoint) >= len(best.MountPoint)) {
			best = m
		}
	}
	return best
}
