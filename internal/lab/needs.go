package lab

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/lab/victim"
	"github.com/otel-culprit/culprit/internal/scenario"
	"github.com/otel-culprit/culprit/internal/stage"
)

// Abilities are what runs can do on this host.
type Abilities struct {
	stage stage.Abilities
	base  string // in which directory
}

// Probe finds out what runs can do on this host in a directory; empty for the
// usual one.
func Probe(base string) Abilities {
	return Abilities{stage.Probe(), cmp.Or(base, stage.DefaultBase())}
}

// Play tells what this host lacks for a plan, and the cure; nil if nothing.
func (a Abilities) Play(p scenario.Plan) error {
	var errs []error
	need := func(wanted bool, needs ...stage.Need) {
		for _, n := range needs {
			missing := a.stage.Missing(n)
			if !wanted || missing == "" {
				continue
			}
			if !slices.ContainsFunc(errs, func(err error) bool { return err.Error() == missing }) {
				errs = append(errs, errors.New(missing))
			}
			return // one cure at a time
		}
	}
	if d := p.Host.Disk; d != nil {
		need(d.Faulty, stage.NeedFaultyDisk)
		need(!d.Faulty, stage.NeedDisk, stage.NeedIO)
		if d.ReadMBps+d.WriteMBps > 0 {
			if err := onDevice(a.base); err != nil {
				errs = append(errs, err)
			}
		}
	}
	need(p.Host.Network != nil, stage.NeedNetwork)
	need(p.Host.MemoryMiB > 0, stage.NeedMemory)
	for _, program := range p.Needs {
		if _, err := exec.LookPath(program); err != nil {
			errs = append(errs, fmt.Errorf("%s is not installed", program))
		}
	}
	if p.Site.Server == "nginx" {
		_, err := victim.FindNginx()
		errs = append(errs, err)
	}
	if p.Site.Query != "" {
		_, _, err := victim.FindPostgres()
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// onDevice refuses a directory, which need not exist yet, whose files are on no
// block device of which the rate could be bound.
func onDevice(dir string) error {
	at, err := filepath.Abs(dir)
	var fsys unix.Statfs_t
	for err == nil {
		if err = unix.Statfs(at, &fsys); !errors.Is(err, fs.ErrNotExist) || at == filepath.Dir(at) {
			break
		}
		at, err = filepath.Dir(at), nil
	}
	if err != nil {
		return fmt.Errorf("find the disk of %s: %w", dir, err)
	}
	switch fsys.Type {
	case unix.OVERLAYFS_SUPER_MAGIC, unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		return fmt.Errorf("%s is on no disk but on an overlay or in memory, where rates cannot be bound: name a directory on a disk with --base", dir)
	}
	return nil
}
