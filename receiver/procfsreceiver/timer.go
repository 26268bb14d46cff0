package procfsreceiver

import "strings"

// unitDirs is where systemd looks for unit files.
var unitDirs = []string{
	"etc/systemd/system", "run/systemd/system", "run/systemd/transient", "run/systemd/generator",
	"usr/local/lib/systemd/system", "usr/lib/systemd/system", "lib/systemd/system",
}

// timerOf names the timer that starts a unit: that of the same name, which is the
// one that systemd takes if the timer does not say otherwise. It is empty if
// there is none.
func (r hostRoot) timerOf(unit string) string {
	base, ok := strings.CutSuffix(unit, ".service")
	if !ok || strings.ContainsRune(base, '/') {
		return ""
	}
	files := []string{base + ".timer"}
	if template, _, ok := strings.Cut(base, "@"); ok {
		files = append(files, template+"@.timer")
	}
	for _, dir := range unitDirs {
		for _, file := range files {
			if r.exists(r.path(dir, file)) {
				return base + ".timer"
			}
		}
	}
	return ""
}
