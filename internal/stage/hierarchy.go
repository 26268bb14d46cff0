package stage

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
)

// Version is that of the control groups through which something can be limited.
type Version string

// The versions.
const (
	V2   Version = "v2"
	V1   Version = "v1"
	None Version = "none"
)

// Controllers, by their names in version 2.
const (
	ioController     = "io"
	memoryController = "memory"
	cpuController    = "cpu"
)

var controllers = []string{memoryController, cpuController, ioController}

// hierarchies are the places in which control groups can be made.
type hierarchies struct {
	// unified is the top of version 2: its controllers can be enabled only
	// where no process is in between. Empty if it is not mounted.
	unified string
	offered []string // controllers of version 2
	// v1 has for each controller of version 1 the group of this process, so that
	// whatever limits this process limits the run as well.
	v1 map[string]string
}

func findHierarchies() hierarchies {
	h := hierarchies{v1: map[string]string{}}
	mounts, err := procfs.GetMounts()
	if err != nil {
		return h
	}
	for _, m := range mounts {
		point := mountEscapes.Replace(m.MountPoint)
		switch m.FSType {
		case "cgroup2":
			if h.unified != "" || !writable(point) {
				continue
			}
			h.unified = point
			text, err := os.ReadFile(filepath.Join(point, "cgroup.controllers"))
			if err == nil {
				h.offered = strings.Fields(string(text))
			}
		case "cgroup":
			h.addV1(point, m)
		}
	}
	return h
}

func (h *hierarchies) addV1(point string, m *procfs.MountInfo) {
	for _, controller := range controllers {
		name := controller
		if controller == ioController {
			name = "blkio"
		}
		if _, has := m.SuperOptions[name]; !has {
			continue
		}
		dir := ownGroup(point, m.Root, name)
		if writable(dir) {
			h.v1[controller] = dir
		}
	}
}

// ownGroup is the directory of this process's group below a mount of version 1,
// or the mount's own if the group is not below it.
func ownGroup(point, root, controller string) string {
	self, err := procfs.Self()
	if err != nil {
		return point
	}
	groups, err := self.Cgroups()
	if err != nil {
		return point
	}
	for _, group := range groups {
		if !slices.Contains(group.Controllers, controller) {
			continue
		}
		below, inside := strings.CutPrefix(group.Path, strings.TrimSuffix(root, "/"))
		dir := filepath.Join(point, below)
		if _, err := os.Stat(dir); inside && err == nil {
			return dir
		}
	}
	return point
}

// version says through which version a controller can be used.
func (h hierarchies) version(controller string) Version {
	switch {
	case h.v1[controller] != "":
		return V1
	case h.unified != "" && slices.Contains(h.offered, controller):
		return V2
	default:
		return None
	}
}

// home says where the members of groups are found, and killed.
func (h hierarchies) home() Version {
	switch {
	case h.unified != "":
		return V2
	case len(h.v1) > 0:
		return V1
	default:
		return None
	}
}
