package stage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// controller is one of version 2 that the run enabled for the groups below a group.
type controller struct {
	Group string `json:"group"`
	Name  string `json:"name"`
	Run   string `json:"run"` // whose groups are undone with it
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

// undo leaves the controller enabled where others have begun to use it: then it
// stays for good, and costs little. The kernel refuses only if a group hands it on
// to groups of its own; limits of a group itself would be lost without a word.
func (c controller) undo(context.Context) (bool, error) {
	enabled, err := c.enabled()
	if err != nil || !enabled {
		return false, err
	}
	used, err := c.used()
	if err != nil || used {
		return false, err
	}
	if err := c.write("-"); errors.Is(err, unix.EBUSY) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, nil
}

// unlimited has for each controller its files that limit or weigh a group, with
// what a new group has there.
var unlimited = map[string]map[string]string{
	cpuController: {"cpu.max": "max 100000", "cpu.weight": "100", "cpu.idle": "0"},
	memoryController: {
		"memory.max": "max", "memory.high": "max", "memory.swap.max": "max", "memory.low": "0", "memory.min": "0",
	},
	ioController: {"io.max": "", "io.weight": "default 100", "io.latency": ""},
}

// used reports whether a group beside those of the run has limits of the controller.
func (c controller) used() (bool, error) {
	entries, err := os.ReadDir(c.Group)
	if err != nil {
		return false, err
	}
	for _, entry := range entries {
		if !entry.IsDir() || strings.HasPrefix(entry.Name(), groupPrefix(c.Run)) {
			continue
		}
		for file, usual := range unlimited[c.Name] {
			text, err := os.ReadFile(filepath.Join(c.Group, entry.Name(), file)) //nolint:gosec // in a control group
			if err == nil && strings.TrimSpace(string(text)) != usual {
				return true, nil
			}
		}
	}
	return false, nil
}

// enable makes a controller of version 2 act on the groups of the run.
func (s *Stage) enable(name string) error {
	c := controller{Group: s.abilities.hierarchies.unified, Name: name, Run: s.id}
	enabled, err := c.enabled()
	if err == nil && !enabled {
		if err = s.record(c); err == nil {
			err = c.write("+")
		}
	}
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("enable %s in %s: processes are in that very group: run the lab on the host instead of in a container", name, c.Group)
	}
	if err != nil {
		return fmt.Errorf("enable a controller of control groups: %w", err)
	}
	return nil
}
