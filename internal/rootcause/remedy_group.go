package rootcause

import (
	"fmt"
	"regexp"
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
	doubt          string // why it may have none; empty if it has
}

func unitRemedy(w *workload, controller string, limit unitLimit) Remedy {
	r := Remedy{Title: "throttle the unit", Works: DoesNotWork, Why: "this host has no systemd or no cgroup v2 controller for it"}
	plain := unitName.MatchString(w.key.unit)
	if plain {
		r.Command = w.setProperty(limit.setting)
	}
	if !w.host.can[canSystemd] || !w.host.can[controller] {
		return r
	}
	r.Works = DoesWork
	why := []string{limit.effect + ", until the host restarts"}
	if limit.doubt != "" {
		r.Works, why = MayWork, append(why, limit.doubt)
	}
	if plain {
		why = append(why, fmt.Sprintf("undo with \"%s\"", w.setProperty(limit.unset)))
	} else {
		why = append(why, fmt.Sprintf("set %s with systemctl set-property, and %s to undo it: no command is told here, because the unit's name has characters that no plain name has",
			limit.setting, limit.unset))
	}
	r.Why = strings.Join(why, "; ")
	return r
}

func (w *workload) setProperty(property string) string {
	return fmt.Sprintf("systemctl set-property --runtime '%s' %s", w.key.unit, property)
}

// unitName is what a unit's name must be to stand in quotes in a command that a
// person copies as root. Whoever may make control groups chooses it, and systemctl
// would take one that begins with a dash for an option.
var unitName = regexp.MustCompile(`^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*$`)

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
