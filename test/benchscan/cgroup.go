package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cgroup is a control group that counts CPU time.
type cgroup struct {
	dir string // empty for none
	v2  bool
}

// newCgroup makes a control group where that is allowed; otherwise one without
// a directory. That of version 1 is tried first: it changes nothing of what our
// collector calls the group of a process.
func newCgroup() cgroup {
	name := fmt.Sprintf("benchscan-%d", os.Getpid())
	for _, at := range []struct {
		dir, file string
		v2        bool
	}{
		{dir: "/sys/fs/cgroup/cpuacct", file: "cpuacct.usage"},
		{dir: "/sys/fs/cgroup/cpu,cpuacct", file: "cpuacct.usage"},
		{dir: "/sys/fs/cgroup", file: "cpu.stat", v2: true},
		{dir: "/sys/fs/cgroup/unified", file: "cpu.stat", v2: true},
	} {
		dir := filepath.Join(at.dir, name)
		if os.Mkdir(dir, 0o750) != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, at.file)); err == nil {
			return cgroup{dir: dir, v2: at.v2}
		}
		_ = os.Remove(dir) // a directory without the file is no group
	}
	return cgroup{}
}

// cpu is the CPU time of all that ran in the group, in seconds; 0 if unknown.
func (c cgroup) cpu() float64 {
	switch {
	case c.dir == "":
		return 0
	case c.v2:
		return usageV2(readText(filepath.Join(c.dir, "cpu.stat")))
	}
	n, err := strconv.ParseInt(strings.TrimSpace(readText(filepath.Join(c.dir, "cpuacct.usage"))), 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(n).Seconds()
}

// usageV2 reads cpu.stat.
func usageV2(text string) float64 {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "usage_usec "); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
			if err != nil {
				return 0
			}
			return float64(n) / 1e6
		}
	}
	return 0
}

// remove removes the group; all that was in it has ended.
func (c cgroup) remove() {
	if c.dir == "" {
		return
	}
	if err := os.Remove(c.dir); err != nil {
		logf("the control group %s is left: %v", c.dir, err)
	}
}
