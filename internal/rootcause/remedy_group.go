package rootcause

import (
	"fmt"
	"strconv"
	"strings"
)

// setting is what a control group is given, and what takes it away again.
type setting struct {
	controller string
	file       string
	value      string
	unset      string
}

// move is the command that puts a job into a control group of its own with a
// setting, and how to undo it.
func (w *workload) move(dir string, s setting) (command, undo string) {
	file := dir + "/throttled/" + s.file
	command = fmt.Sprintf("mkdir -p %[1]s/throttled && echo %[2]s > %[3]s && for p in $(pgrep -g %[4]d); do echo $p > %[1]s/throttled/cgroup.procs; done",
		dir, s.value, file, w.liveGroup())
	return command, fmt.Sprintf("undo with \"echo %s > %s\"", s.unset, file)
}

// moveV1 does so in the hierarchy of a controller of the first generation.
func (w *workload) moveV1(s setting) (command, undo string) {
	return w.move("/sys/fs/cgroup/"+s.controller, s)
}

// moveV2 does so in the hierarchy of the second generation, which is elsewhere
// where the first is mounted too.
func (w *workload) moveV2(s setting) (command, undo string) {
	dir := "/sys/fs/cgroup"
	if w.host.can[canCPUv1] || w.host.can[canIOv1] {
		dir += "/unified"
	}
	command, undo = w.move(dir, s)
	return fmt.Sprintf("echo +%s > %s/cgroup.subtree_control && %s", s.controller, dir, command), undo
}

// unitLimit is a property of a unit that throttles it.
type unitLimit struct {
	setting, unset string
	effect         string
}

func unitRemedy(w *workload, controller string, limit unitLimit) Remedy {
	r := Remedy{
		Title: "throttle the unit", Command: fmt.Sprintf("systemctl set-property --runtime %s %s", w.key.unit, limit.setting),
		Works: DoesNotWork, Why: "this host has no systemd or no cgroup v2 controller for it",
	}
	if w.host.can[canSystemd] && w.host.can[controller] {
		r.Works = DoesWork
		r.Why = fmt.Sprintf("%s, until the host restarts; undo with \"systemctl set-property --runtime %s %s\"", limit.effect, w.key.unit, limit.unset)
	}
	return r
}

// isDeviceNumber is whether a text is a major and a minor number: it goes into a
// command that a person copies.
func isDeviceNumber(s string) bool {
	major, minor, ok := strings.Cut(s, ":")
	for _, n := range []string{major, minor} {
		_, err := strconv.ParseUint(n, 10, 32)
		ok = ok && err == nil
	}
	return ok
}
