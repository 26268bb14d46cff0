package trial

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

func deviceNumber(major, minor uint32) string { return fmt.Sprintf("%d:%d", major, minor) }

// device is where data lies.
type device struct {
	number    string // MAJ:MIN of the whole disk
	name      string // such as vda
	scheduler string // its own, or that of a disk below it that uses bfq
}

// deviceOf finds the block device below a directory.
func deviceOf(dir string) (device, error) {
	where, err := filepath.EvalSymlinks(dir)
	if err == nil {
		where, err = filepath.Abs(where)
	}
	if err != nil {
		return device{}, fmt.Errorf("find the device below %s: %w", dir, err)
	}
	mounts, err := procfs.GetMounts()
	if err != nil {
		return device{}, fmt.Errorf("find the device below %s: %w", dir, err)
	}
	m := mountOf(mounts, where)
	if m == nil {
		return device{}, fmt.Errorf("no file system is mounted at %s", where)
	}
	number := m.MajorMinorVer
	if _, err := os.Stat(sysDevice(number)); err != nil {
		// Such as btrfs, which counts its own numbers.
		if number, err = numberOf(m.Source); err != nil {
			return device{}, fmt.Errorf("%s is on %s (%s), which is on no block device of this host", where, m.MountPoint, m.FSType)
		}
	}
	return describe(number)
}

// mountOf is the last mount that covers a path: it hides those before it.
func mountOf(mounts []*procfs.MountInfo, path string) *procfs.MountInfo {
	var best *procfs.MountInfo
	for _, m := range mounts {
		point := strings.TrimSuffix(m.MountPoint, "/")
		if (path == point || strings.HasPrefix(path, point+"/")) && (best == nil || len(m.MountPoint) >= len(best.MountPoint)) {
			best = m
		}
	}
	return best
}

func sysDevice(number string) string { return filepath.Join("/sys/dev/block", number) }

func numberOf(source string) (string, error) {
	var s unix.Stat_t
	if err := unix.Stat(source, &s); err != nil {
		return "", err
	}
	if s.Mode&unix.S_IFMT != unix.S_IFBLK {
		return "", errors.New("no block device")
	}
	return deviceNumber(unix.Major(s.Rdev), unix.Minor(s.Rdev)), nil
}

// describe reads what the kernel tells of a device; a partition stands for its
// disk.
func describe(number string) (device, error) {
	dir, err := filepath.EvalSymlinks(sysDevice(number))
	if err != nil {
		return device{}, fmt.Errorf("read device %s: %w", number, err)
	}
	if _, none := os.Stat(filepath.Join(dir, "partition")); none == nil {
		dir = filepath.Dir(dir)
	}
	text, err := os.ReadFile(filepath.Join(dir, "dev"))
	if err != nil {
		return device{}, fmt.Errorf("read device %s: %w", number, err)
	}
	return device{number: strings.TrimSpace(string(text)), name: filepath.Base(dir), scheduler: schedulerOf(dir, 0)}, nil
}

// schedulerOf is the scheduler of a disk. Devices made of others, such as loop
// devices and logical volumes, hand requests on: there one below may be bfq.
func schedulerOf(dir string, depth int) string {
	const deepest = 8
	text, err := os.ReadFile(filepath.Join(dir, "queue/scheduler")) //nolint:gosec // a file of the kernel's
	own := "none"
	if err == nil {
		own = chosen(string(text))
	}
	if own == "bfq" || depth == deepest {
		return own
	}
	for _, below := range belowOf(dir) {
		if schedulerOf(below, depth+1) == "bfq" {
			return "bfq"
		}
	}
	return own
}

// belowOf lists the disks that a device is made of.
func belowOf(dir string) []string {
	var list []string
	slaves, err := os.ReadDir(filepath.Join(dir, "slaves"))
	if err != nil {
		slaves = nil // it has none
	}
	for _, s := range slaves {
		if disk, missing := filepath.EvalSymlinks(filepath.Join(dir, "slaves", s.Name())); missing == nil {
			list = append(list, disk)
		}
	}
	file, err := os.ReadFile(filepath.Join(dir, "loop/backing_file")) //nolint:gosec // a file of the kernel's
	if err != nil {
		return list
	}
	var s unix.Stat_t
	if unix.Stat(strings.TrimSpace(string(file)), &s) == nil {
		if disk, err := filepath.EvalSymlinks(sysDevice(deviceNumber(unix.Major(s.Dev), unix.Minor(s.Dev)))); err == nil {
			list = append(list, disk)
		}
	}
	return list
}

// chosen is the scheduler in brackets, as in "none [mq-deadline] bfq".
func chosen(text string) string {
	_, rest, found := strings.Cut(text, "[")
	name, _, closed := strings.Cut(rest, "]")
	if !found || !closed {
		return strings.TrimSpace(text)
	}
	return name
}
