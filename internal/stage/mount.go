package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/procfs"
)

// busyTime is how long a mount or a loop device may stay in use while those that
// used it end.
const busyTime = 4 * time.Second

// mountEscapes are those of /proc/self/mountinfo.
var mountEscapes = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// mountPoints lists where something is mounted; a place may come twice.
func mountPoints() ([]string, error) {
	mounts, err := procfs.GetMounts()
	if err != nil {
		return nil, fmt.Errorf("list the mounts: %w", err)
	}
	points := make([]string, len(mounts))
	for i, m := range mounts {
		points[i] = mountEscapes.Replace(m.MountPoint)
	}
	return points, nil
}

// mount is something mounted at a path.
type mount struct {
	Path string `json:"path"`
}

func (mount) kind() string     { return "mount" }
func (m mount) String() string { return "the mount " + m.Path }

func (m mount) mounted() (bool, error) {
	points, err := mountPoints()
	return slices.Contains(points, m.Path), err
}

func (m mount) undo(ctx context.Context) (bool, error) {
	did := false
	const stacked = 8 // how often it may be mounted at most
	for range stacked {
		mounted, err := m.mounted()
		if err != nil || !mounted {
			return did, err
		}
		did = true
		if err := m.unmount(ctx); err != nil {
			return did, err
		}
	}
	return did, fmt.Errorf("something mounts %s again and again", m.Path)
}

// unmount waits a while for those that use it, then takes it out of sight: the
// kernel removes it when its last user ends.
func (m mount) unmount(ctx context.Context) error {
	patient, cancel := context.WithTimeout(ctx, busyTime)
	defer cancel()
	var failed error
	err := until(patient, func() bool {
		_, failed = run(patient, "umount", "--no-canonicalize", m.Path)
		return failed == nil
	})
	if err == nil {
		return nil
	}
	if mounted, err := m.mounted(); err != nil || !mounted {
		return err
	}
	if _, err := run(ctx, "umount", "--lazy", "--no-canonicalize", m.Path); err != nil {
		return errors.Join(failed, err)
	}
	return nil
}

// loop is a loop device on a file.
type loop struct {
	File string `json:"file"`
}

func (loop) kind() string     { return "loop" }
func (l loop) String() string { return "the loop device on " + l.File }

// attach returns the device, as /dev/loop3.
func (l loop) attach(ctx context.Context) (string, error) {
	// With direct I/O nothing is cached below the device, and the waits are seen there.
	device, err := run(ctx, "losetup", "--find", "--show", "--direct-io=on", l.File)
	if err != nil {
		return "", err
	}
	direct, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(device), "loop/dio"))
	if err != nil || strings.TrimSpace(string(direct)) != "1" {
		return "", fmt.Errorf("%s has no direct I/O, since the file system of %s cannot do it: set %s to a directory on ext4 or xfs", device, l.File, dirVariable)
	}
	return device, nil
}

// devices lists those on the file; there may be several if it was attached twice.
func (l loop) devices() []string {
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil // the pattern is right
	}
	var found []string
	for _, file := range files {
		text, err := os.ReadFile(file) //nolint:gosec // below /sys
		if err == nil && strings.TrimSuffix(strings.TrimSpace(string(text)), " (deleted)") == l.File {
			found = append(found, filepath.Join("/dev", filepath.Base(filepath.Dir(filepath.Dir(file)))))
		}
	}
	return found
}

func (l loop) undo(ctx context.Context) (bool, error) {
	devices := l.devices()
	for _, device := range devices {
		if _, err := run(ctx, "losetup", "--detach", device); err != nil && slices.Contains(l.devices(), device) {
			return true, err
		}
	}
	patient, cancel := context.WithTimeout(ctx, busyTime)
	defer cancel()
	if err := until(patient, func() bool { return len(l.devices()) == 0 }); err != nil {
		return true, fmt.Errorf("%v is still in use, perhaps by a mount in another namespace, and goes with its last user", devices)
	}
	return len(devices) > 0, nil
}
