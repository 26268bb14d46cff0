package stage

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	programTime = time.Minute // a program that takes longer hangs
	killTime    = 2 * time.Second
	poll        = 10 * time.Millisecond
)

// debianPackage says where the programs are that the stage calls.
var debianPackage = map[string]string{
	"ip":        "iproute2",
	"losetup":   "mount",
	"mkfs.ext4": "e2fsprogs",
	"mount":     "mount",
	"nbdfuse":   "libnbd-bin",
	"nbdkit":    "nbdkit",
	"nsenter":   "util-linux",
	"tc":        "iproute2",
	"umount":    "mount",
	"unshare":   "util-linux",
}

// findProgram looks beyond PATH, since that of users often lacks sbin.
func findProgram(name string) (string, error) {
	for _, dir := range []string{"", "/usr/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: install the Debian package %s", name, debianPackage[name])
}

// run runs a program and returns what it printed. It returns when ctx ends, at
// the latest after programTime, even if the program cannot be killed because it
// waits for a device.
func run(ctx context.Context, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, programTime)
	defer cancel()
	path, err := findProgram(name)
	if err != nil {
		return "", err
	}
	var out, failed bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // programs of this package's own choice
	cmd.Stdout, cmd.Stderr = &out, &failed
	cmd.WaitDelay = killTime
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("start %s: %w", name, err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(killTime):
			return "", fmt.Errorf("%s %s hangs and cannot be killed: %w", name, strings.Join(args, " "), ctx.Err())
		}
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(failed.Bytes()))
	}
	return strings.TrimSpace(out.String()), nil
}

// until waits until done says so or ctx ends.
func until(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
