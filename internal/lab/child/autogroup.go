package child

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Autogrouped reports whether the scheduler groups the process by its session,
// and why it does not; there, "it" is the process.
func Autogrouped(pid int, read func(name string) ([]byte, error)) (grouped bool, why string) {
	enabled, err := read("/proc/sys/kernel/sched_autogroup_enabled")
	if err != nil || string(bytes.TrimSpace(enabled)) != "1" {
		return false, "the scheduler does not group tasks by session here"
	}
	cgroups, err := read(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return true, ""
	}
	for line := range strings.Lines(string(cgroups)) {
		// Such as "2:cpu,cpuacct:/user.slice", or "0::/user.slice" for version 2.
		hierarchy, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, cgroup, _ := strings.Cut(rest, ":")
		switch {
		case slices.Contains(strings.Split(controllers, ","), "cpu") && cgroup != "/":
			return false, inWeighed(cgroup)
		case hierarchy == "0":
			if weighed, ok := weighedAbove(cgroup, read); ok {
				return false, inWeighed(weighed)
			}
		}
	}
	return true, ""
}

func inWeighed(cgroup string) string {
	return "it is in the cgroup " + cgroup + ", which has a CPU weight"
}

// weighedAbove finds the innermost cgroup with a CPU weight of a cgroup and those
// above it. The root of all cgroups has none, but that of a container has.
func weighedAbove(cgroup string, read func(name string) ([]byte, error)) (weighed string, ok bool) {
	for ; ; cgroup = path.Dir(cgroup) {
		if _, err := read(path.Join("/sys/fs/cgroup", cgroup, "cpu.weight")); err == nil {
			return cgroup, true
		}
		if cgroup == "/" || cgroup == "." {
			return "", false
		}
	}
}
