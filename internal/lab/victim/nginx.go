package victim

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/lab/load"
)

const (
	sbin         = "/usr/sbin" // not in the PATH of most users
	nginxPackage = "nginx-light"
)

// NginxConfig describes an nginx that serves files.
type NginxConfig struct {
	Addr   string // such as 127.0.0.1:8080
	Root   string // directory of the files
	Dir    string // for its own files, which exists
	Cached bool   // files may come from the page cache
	CPUs   unix.CPUSet
	Wrap   func(argv []string) []string
}

// StartNginx starts it and waits until it answers.
func StartNginx(ctx context.Context, cfg NginxConfig) (*child.Process, error) {
	if err := load.MustBeOurs(cfg.Addr); err != nil {
		return nil, err
	}
	program, err := FindNginx()
	if err != nil {
		return nil, err
	}
	ask := exec.CommandContext(ctx, program, "-V") //nolint:gosec // found above
	ask.WaitDelay = child.Patience
	built, err := ask.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("ask nginx how it was built: %w", err)
	}
	file := filepath.Join(cfg.Dir, "nginx.conf")
	if err = os.WriteFile(file, cfg.text(string(built)), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration of nginx: %w", err)
	}
	c, err := child.Start(ctx, child.Spec{
		Name: "nginx", Argv: []string{program, "-e", "stderr", "-p", cfg.Dir, "-c", file},
		Home: cfg.Dir,
		Ends: unix.SIGTERM, // even if its parent was killed, or its worker would be left
		CPUs: cfg.CPUs, Wrap: cfg.Wrap, Log: filepath.Join(cfg.Dir, "nginx.log"),
	})
	if err != nil {
		return nil, err
	}
	// It writes its number when it has its address, which another may have too.
	up := func(context.Context) error {
		_, missing := os.Stat(cfg.pidFile())
		return missing
	}
	if err := c.Ready(ctx, 20*time.Second, up); err != nil {
		c.Stop()
		return nil, err
	}
	return c, nil
}

func (cfg NginxConfig) pidFile() string { return filepath.Join(cfg.Dir, "nginx.pid") }

// text is the configuration; built is what nginx says of how it was built.
func (cfg NginxConfig) text(built string) []byte {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+";\n", args...) }
	if os.Geteuid() == 0 {
		line("user root") // the lab's files are its own
	}
	line("daemon off")
	line("worker_processes 1")
	line("pid %q", cfg.pidFile())
	b.WriteString("events {}\nhttp {\n")
	line("access_log off")
	for _, module := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		if !strings.Contains(built, "--without-http_"+module+"_module") {
			line("%s_temp_path %q", module, filepath.Join(cfg.Dir, module))
		}
	}
	b.WriteString("server {\n")
	line("listen %s", cfg.Addr)
	line("root %q", cfg.Root)
	if !cfg.Cached {
		line("directio 512")
		line("directio_alignment 4k") // XFS wants it
		line("output_buffers 2 32k")  // less than a file, which it would read through the page cache
		if strings.Contains(built, "--with-threads") {
			line("aio threads") // else one slow read holds up everybody
		}
	}
	b.WriteString("}\n}\n")
	return b.Bytes()
}

// FindNginx finds the program.
func FindNginx() (string, error) { return findServer("nginx", sbin, nginxPackage) }

// findServer finds a program in the PATH or in another directory; pkg is the
// Debian package that has it.
func findServer(name, elsewhere, pkg string) (string, error) {
	if found, err := exec.LookPath(name); err == nil {
		return found, nil
	}
	there, _ := filepath.Glob(filepath.Join(elsewhere, name)) // the pattern is a good one
	for _, program := range slices.Backward(there) {          // the newest version first
		if found, err := exec.LookPath(program); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("%s is neither in the PATH nor in %s: install it (Debian: apt-get install %s)", name, elsewhere, pkg)
}
