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

func (g controlGroup) kill(ctx context.Context) (bool, error) {
	did := len(g.members()) > 0
	// Only version 2 has this file, and not on old kernels; it leaves none out.
	if file, err := os.OpenFile(filepath.Join(g.Path, "cgroup.kill"), os.O_WRONLY, 0); err == nil {
		_, err := file.WriteString("1")
		if err := errors.Join(err, file.Close()); err != nil {
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

// controller is one of version 2 that the run enabled for the groups below a group.
type controller struct {
	Group string `json:"group"`
	Name  string `json:"name"`
}

func (controller) kind() string     { return "controller" }
func (c controller) String() string { return fmt.Sprintf("the controller %s of %s", c.Name, c.Group) }

func (c controller) enabled() (bool, error) {
	text, err := os.ReadFile(filepath.Join(c.Group, "cgroup.subtree_control"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return slices.Contains(strings.Fields(string(text)), c.Name), err
}

func (c controller) write(sign string) error {
	return os.WriteFile(filepath.Join(c.Group, "cgroup.subtree_control"), []byte(sign+c.Name), 0o600)
}

// undo leaves the controller enabled where others have begun to use it.
func (c controller) undo(context.Context) (bool, error) {
	enabled, err := c.enabled()
	if err != nil || !enabled {
		return false, err
	}
	if err := c.write("-"); errors.Is(err, unix.EBUSY) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, nil
}

// unified is the run's own group in version 2; all its processes are below it.
func (s *Stage) unified() string {
	return filepath.Join(s.abilities.hierarchies.unified, prefix+s.id)
}

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

// enable makes a controller of version 2 act on the groups of the run.
func (s *Stage) enable(name string) error {
	for _, group := range []string{s.abilities.hierarchies.unified, s.unified()} {
		c := controller{Group: group, Name: name}
		enabled, err := c.enabled()
		if err == nil && !enabled {
			if err = s.record(c); err == nil {
				err = c.write("+")
			}
		}
		if errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("enable %s in %s: processes are in that very group: run the lab on the host instead of in a container", name, group)
		}
		if err != nil {
			return fmt.Errorf("enable a controller of control groups: %w", err)
		}
	}
	return nil
}
