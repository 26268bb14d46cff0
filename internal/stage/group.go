package stage

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"
)

// Group is a control group for processes of the run. It has a group of version 2
// wherever that is mounted, so that its pressure (PSI) can be read there, and one
// of version 1 for each controller that a limit needs and that is found there.
type Group struct {
	stage *Stage
	name  string
	home  string // where its members are found

	mu   sync.Mutex
	dirs map[string]string // by controller
}

// Group makes a control group.
func (s *Stage) Group(name string, l Limits) (*Group, error) {
	needs := []Need{NeedGroup}
	if l.MemoryBytes != 0 {
		needs = append(needs, NeedMemory)
	}
	if l.CPUCores != 0 || l.CPUWeight != 0 {
		needs = append(needs, NeedCPU)
	}
	if len(l.IO) > 0 {
		needs = append(needs, NeedIO)
	}
	if err := errors.Join(s.need(needs...), l.check(), s.reserve("group", name)); err != nil {
		return nil, err
	}
	g := &Group{stage: s, name: name, dirs: map[string]string{}}
	if err := g.settle(); err != nil {
		return nil, err
	}
	return g, g.limit(l)
}

// settle makes the group in which the members are found.
func (g *Group) settle() error {
	h := g.stage.abilities.hierarchies
	if h.home() == V2 {
		// At the top, since a weight acts only among groups that are side by side.
		g.home = filepath.Join(h.unified, g.stage.groupName(g.name))
		return g.stage.makeGroup(g.home)
	}
	controller := slices.Sorted(maps.Keys(h.v1))[0]
	g.home = filepath.Join(h.v1[controller], g.stage.groupName(g.name))
	g.dirs[controller] = g.home
	return g.stage.makeGroup(g.home)
}

func (g *Group) limit(l Limits) error {
	if l.MemoryBytes != 0 {
		if err := g.SetMemory(l.MemoryBytes); err != nil {
			return err
		}
	}
	if l.CPUCores != 0 || l.CPUWeight != 0 {
		if err := g.SetCPU(l.CPUCores, l.CPUWeight); err != nil {
			return err
		}
	}
	for _, limit := range l.IO {
		if err := g.SetIO(limit); err != nil {
			return err
		}
	}
	return nil
}

// Unified is the directory of the group in version 2, where its pressure can be
// read; empty where version 2 is not mounted.
func (g *Group) Unified() string {
	if g.stage.abilities.hierarchies.home() == V2 {
		return g.home
	}
	return ""
}

// SetIO changes the limits of one device. Zero lifts.
func (g *Group) SetIO(l IOLimit) error {
	if err := errors.Join(g.stage.need(NeedIO), l.check()); err != nil {
		return err
	}
	return g.set(ioController, func(v Version) []setting { return ioSettings(v, l) })
}

// SetCPU changes how many cores the group may use, and its weight against other
// groups. Zero lifts.
func (g *Group) SetCPU(cores float64, weight int) error {
	if err := errors.Join(g.stage.need(NeedCPU), checkCPU(cores, weight)); err != nil {
		return err
	}
	return g.set(cpuController, func(v Version) []setting { return cpuSettings(v, cores, weight) })
}

// SetMemory changes how much memory the group may have. Zero lifts.
func (g *Group) SetMemory(bytes int64) error {
	if err := errors.Join(g.stage.need(NeedMemory), Limits{MemoryBytes: bytes}.check()); err != nil {
		return err
	}
	return g.set(memoryController, func(v Version) []setting { return memorySettings(v, bytes) })
}

func (g *Group) set(controller string, settings func(Version) []setting) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	dir, err := g.join(controller)
	if err != nil {
		return err
	}
	for _, s := range settings(g.stage.abilities.hierarchies.version(controller)) {
		if err := os.WriteFile(filepath.Join(dir, s.file), []byte(s.value), 0o600); err != nil {
			return fmt.Errorf("limit group %s to %q: %w", g.name, s.value, err)
		}
	}
	return nil
}

// join makes the group obey a controller and returns where. A group has only
// the controllers that it needs, since each of them changes how its processes
// compete with others.
func (g *Group) join(controller string) (string, error) {
	if dir, joined := g.dirs[controller]; joined {
		return dir, nil
	}
	h := g.stage.abilities.hierarchies
	dir := g.home
	if h.version(controller) == V2 {
		if err := g.stage.enable(controller); err != nil {
			return "", err
		}
	} else {
		dir = filepath.Join(h.v1[controller], g.stage.groupName(g.name))
		if err := g.stage.makeGroup(dir); err != nil {
			return "", err
		}
		if err := moveAll(dir, func() []int { return controlGroup{g.home}.members() }); err != nil {
			return "", err
		}
	}
	g.dirs[controller] = dir
	return dir, nil
}

// places are all directories whose member a process of the group is.
func (g *Group) places() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	places := slices.Sorted(maps.Values(g.dirs))
	return slices.Compact(slices.Sorted(slices.Values(append(places, g.home))))
}

// enter is a shell program: it moves itself into the groups named before "--",
// and becomes the program named after it. What it is given it never parses.
const enter = `while [ "$1" != -- ]; do echo 0 >"$1" || exit 125; shift; done; shift; exec "$@"`

// Wrap returns a command that moves itself into the group and then becomes argv.
// It is to be started by root, with the limits set before.
func (g *Group) Wrap(argv []string) []string {
	wrapped := []string{"/bin/sh", "-c", enter, "culprit-lab"}
	for _, dir := range g.places() {
		wrapped = append(wrapped, filepath.Join(dir, "cgroup.procs"))
	}
	return append(append(wrapped, "--"), argv...)
}

// moveAll moves processes until list returns no new one: those that have not been
// moved yet may start others meanwhile.
func moveAll(dir string, list func() []int) error {
	const rounds = 50
	moved := map[int]bool{}
	for range rounds {
		news := slices.DeleteFunc(list(), func(pid int) bool { return moved[pid] })
		if len(news) == 0 {
			return nil
		}
		for _, pid := range news {
			moved[pid] = true
			err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0o600)
			if err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("move process %d to %s: %w", pid, dir, err)
			}
		}
	}
	return fmt.Errorf("move processes to %s: they start others faster than they can be moved", dir)
}
