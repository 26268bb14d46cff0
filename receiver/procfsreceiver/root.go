package procfsreceiver

import (
	"os"
	"path/filepath"
	"strings"
)

// hostRoot is where the root of the host's file system is mounted; empty means
// that it is this process's own root.
type hostRoot string

func (r hostRoot) path(elements ...string) string {
	return filepath.Join(append([]string{"/", string(r)}, elements...)...)
}

func (r hostRoot) proc(elements ...string) string {
	return r.path(append([]string{"proc"}, elements...)...)
}

func (r hostRoot) sys(elements ...string) string {
	return r.path(append([]string{"sys"}, elements...)...)
}

// self is a process that lives in the namespaces of the host: the collector, or
// if it is in a container, the host's first process.
func (r hostRoot) self() string {
	if r == "" || r == "/" {
		return "self"
	}
	return "1"
}

// read reads a file whole.
func (hostRoot) read(file string) ([]byte, error) {
	return os.ReadFile(file) //nolint:gosec // below root_path, which the configuration names
}

// hostName is the host's name. In a container that is not the kernel's name of
// this host, and the file system tells.
func (r hostRoot) hostName() string {
	if r.self() != "self" {
		if b, err := r.read(r.path("etc", "hostname")); err == nil {
			if name := strings.TrimSpace(string(b)); name != "" {
				return name
			}
		}
	}
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	return name
}
