package lab

import (
	"errors"
	"fmt"
	"os/exec"

	"github.com/otel-culprit/culprit/internal/scenario"
	"github.com/otel-culprit/culprit/internal/stage"
)

// Abilities are what runs can do on this host.
type Abilities struct{ stage stage.Abilities }

// Probe finds out what runs can do on this host.
func Probe() Abilities { return Abilities{stage.Probe()} }

// Play tells what this host lacks for a plan, and the cure; nil if nothing.
func (a Abilities) Play(p scenario.Plan) error {
	var errs []error
	need := func(wanted bool, needs ...stage.Need) {
		for _, n := range needs {
			if missing := a.stage.Missing(n); wanted && missing != "" {
				errs = append(errs, errors.New(missing))
				return // one cure at a time
			}
		}
	}
	if d := p.Host.Disk; d != nil {
		need(d.Faulty, stage.NeedFaultyDisk)
		need(!d.Faulty, stage.NeedDisk, stage.NeedIO)
	}
	need(p.Host.Network != nil, stage.NeedNetwork)
	need(p.Host.MemoryMiB > 0, stage.NeedMemory)
	for _, program := range p.Needs {
		if _, err := exec.LookPath(program); err != nil {
			errs = append(errs, fmt.Errorf("%s is not installed", program))
		}
	}
	find := func(name, elsewhere, pkg string) {
		if _, err := findServer(name, elsewhere, pkg); err != nil {
			errs = append(errs, err)
		}
	}
	if p.Site.Server == "nginx" {
		find("nginx", sbin, nginxPackage)
	}
	if p.Site.Query != "" {
		find("postgres", everyPostgres, postgresPackage)
		find("initdb", everyPostgres, postgresPackage)
	}
	return errors.Join(errs...)
}
