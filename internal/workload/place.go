package workload

import (
	"slices"
	"strconv"
	"strings"
)

// place is what a cgroup path says: a unit, a container, or neither.
type place struct {
	kind    Type   // Unit, Container, or empty
	name    string // of the unit or container
	runtime string // of a container
	unit    string // innermost unit on the path to it
	cgroup  string // path up to the unit or container
}

// The runtimes of containers.
const (
	Docker     = "docker"
	Containerd = "containerd"
	CRIO       = "cri-o"
	Podman     = "podman"
	LXC        = "lxc"
	Nspawn     = "nspawn"
)

// scopes are the names that runtimes give the scope of a container under the
// systemd cgroup driver: prefix, ID of 64 hexadecimal digits, ".scope".
var scopes = []struct{ prefix, runtime string }{
	{"docker-", Docker},
	{"cri-containerd-", Containerd},
	{"crio-", CRIO},
	{"libpod-", Podman},
}

// placeOf reads a cgroup path. The innermost container counts, and what runs in
// a container is the container's even if that has units of its own; without one
// the innermost unit counts. Slices, sessions and the managers of users are
// not what a person would throttle.
func placeOf(cgroup string) place {
	parts := strings.Split(cgroup, "/")
	var found place
	for i, part := range slices.Backward(parts) {
		if name, runtime := container(parts[:i], part); name != "" {
			return place{
				kind: Container, name: name, runtime: runtime, unit: unitOn(parts[:i+1]),
				cgroup: strings.Join(parts[:i+1], "/"),
			}
		}
		if found.kind == "" && isUnit(part) {
			name := unescape(part)
			found = place{kind: Unit, name: ofUser(parts[:i]) + name, unit: name, cgroup: strings.Join(parts[:i+1], "/")}
		}
	}
	return found
}

// ofUser tells the units of users apart from those of the system, and from each
// other: "user@1000/".
func ofUser(above []string) string {
	for _, part := range above {
		if user, is := strings.CutSuffix(part, ".service"); is && strings.HasPrefix(user, "user@") {
			return user + "/"
		}
	}
	return ""
}

// unitOn is the innermost unit of a path, such as a container's scope.
func unitOn(parts []string) string {
	for _, part := range slices.Backward(parts) {
		if isUnit(part) || strings.HasSuffix(part, ".scope") {
			return unescape(part)
		}
	}
	return ""
}

// isUnit reports whether a part of a path is a service, or a scope that
// systemd-run made. The scopes of logins and of the applications of a desktop
// hold many jobs.
func isUnit(part string) bool {
	if strings.HasSuffix(part, ".service") {
		return !strings.HasPrefix(part, "user@") && part != ".service"
	}
	return strings.HasPrefix(part, "run-") && strings.HasSuffix(part, ".scope")
}

// container reads a part of a path, with the parts above it, as a container.
func container(above []string, part string) (name, runtime string) {
	if scope, is := strings.CutSuffix(part, ".scope"); is {
		for _, s := range scopes {
			if id, is := strings.CutPrefix(scope, s.prefix); is && isID(id) {
				return id[:12], s.runtime
			}
		}
		if name, is := strings.CutPrefix(scope, "machine-"); is && !strings.HasPrefix(name, `qemu\x2d`) {
			return unescape(name), Nspawn
		}
		return "", ""
	}
	if service, is := strings.CutSuffix(part, ".service"); is {
		name, _ := strings.CutPrefix(service, "systemd-nspawn@")
		if name == service {
			return "", ""
		}
		return unescape(name), Nspawn
	}
	return bare(above, part)
}

// bare reads the names of containers under the cgroupfs driver, which have no
// suffix.
func bare(above []string, part string) (name, runtime string) {
	if name, is := strings.CutPrefix(part, "lxc.payload."); is && name != "" {
		return name, LXC
	}
	for _, s := range scopes {
		if id, is := strings.CutPrefix(part, s.prefix); is && isID(id) {
			return id[:12], s.runtime
		}
	}
	if len(above) == 0 {
		return "", ""
	}
	switch parent := above[len(above)-1]; {
	case parent == "lxc" && part != "":
		return part, LXC
	case !isID(part):
		return "", ""
	case parent == "docker":
		return part[:12], Docker
	case isPod(parent):
		return part[:12], Containerd
	}
	return "", ""
}

// isPod knows "pod<uid>" and "kubepods-besteffort-pod<uid>.slice".
func isPod(part string) bool {
	return strings.HasPrefix(part, "pod") || strings.HasPrefix(part, "kubepods") && strings.Contains(part, "-pod")
}

// isID reports whether s is at least 12 hexadecimal digits, in practice 64.
func isID(s string) bool {
	return len(s) >= 12 && strings.Trim(s, "0123456789abcdef") == ""
}

// unescape undoes systemd's escapes, such as \x2d for a dash.
func unescape(s string) string {
	if !strings.Contains(s, `\x`) {
		return s
	}
	var out strings.Builder
	for {
		before, after, found := strings.Cut(s, `\x`)
		out.WriteString(before)
		if !found {
			break
		}
		s = after
		if len(after) < 2 {
			out.WriteString(`\x`)
			continue
		}
		code, err := strconv.ParseUint(after[:2], 16, 8)
		if err != nil {
			out.WriteString(`\x`)
			continue
		}
		out.WriteByte(byte(code))
		s = after[2:]
	}
	return strings.ToValidUTF8(out.String(), "\uFFFD")
}
