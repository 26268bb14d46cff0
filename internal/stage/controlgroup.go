package stage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// controlGroup is a directory of a hierarchy, with all below it.
type controlGroup struct {
	Path string `json:"path"`
}

func (controlGroup) kind() string     { return "control_group" }
func (g controlGroup) String() string { return "the control group " + g.Path }

// dirs lists the group and those below it, outer ones first; none if it does not exist.
func (g controlGroup) dirs() []string {
	var dirs []string
	_ = filepath.WalkDir(g.Path, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil // groups come and go
	})
	return dirs
}

func (g controlGroup) members() []int {
	var members []int
	for _, dir := range g.dirs() {
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs")) //nolint:gosec // in a control group
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				members = append(members, pid)
			}
		}
	}
	return members
}

// resume lifts the limits of devices: what waits for them cannot be killed, and
// on version 2 they also slow what is written when a disk is unmounted.
func (g controlGroup) resume(context.Context) {
	for file, lift := range liftIO {
		path := filepath.Join(g.Path, file)
		text, err := os.ReadFile(path) //nolint:gosec // in a control group
		if err != nil {
			continue // of the other version
		}
		for limit := range strings.Lines(string(text)) {
			device, _, _ := strings.Cut(strings.TrimSpace(limit), " ")
			_ = os.WriteFile(path, []byte(device+lift), 0o600) // only makes the end faster
		}
	}
}

func (g controlGroup) kill(ctx context.Context) (bool, error) {
	did := len(g.members()) > 0
	// Only version 2 has this file, and not on old kernels; it leaves none out.
	if file, err := os.OpenFile(filepath.Join(g.Path, "cgroup.kill"), os.O_WRONLY, 0); err == nil {
		_, err = file.WriteString("1")
		if err = errors.Join(err, file.Close()); err != nil {
			return did, fmt.Errorf("kill the members of %s: %w", g.Path, err)
		}
	}
	more, err := killAll(ctx, g.members)
	return did || more, err
}

func (g controlGroup) undo(ctx context.Context) (bool, error) {
	did := false
	var failed error
	err := until(ctx, func() bool {
		dirs := g.dirs()
		failed = nil
		for _, dir := range slices.Backward(dirs) {
			did = true
			if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
				failed = fmt.Errorf("remove %s: %w", dir, err)
			}
		}
		return failed == nil
	})
	if err != nil {
		return did, errors.Join(failed, err)
	}
	return did, nil
}

// groupPrefix begins the names of a run's groups. No name has an underscore, so
// that it begins those of no other run.
func groupPrefix(run string) string { return prefix + run + "_" }

func (s *Stage) groupName(name string) string { return groupPrefix(s.id) + name }

func (s *Stage) makeGroup(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := s.record(controlGroup{dir}); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // as all control groups
		return fmt.Errorf("make a control group: %w", err)
	}
	return nil
}
