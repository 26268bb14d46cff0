package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// script says what the job of short-lived processes has to do.
type script struct {
	Dir    string        `json:"dir"`    // holds its files; on a real disk
	Cgroup string        `json:"cgroup"` // to enter; empty for none
	Runs   time.Duration `json:"runs"`
	Rate   int           `json:"rate"` // processes a second
}

// spent is what a job of short-lived processes knows it used, itself and them.
type spent struct {
	Processes int64   `json:"processes"`
	CPU       float64 `json:"cpu"`        // seconds, of its children and itself, from wait4 and getrusage
	OwnCPU    float64 `json:"own_cpu"`    // seconds of that which are its own
	Read      int64   `json:"read"`       // bytes from storage
	Written   int64   `json:"written"`    // bytes to storage
	CgroupCPU float64 `json:"cgroup_cpu"` // seconds; 0 if it has no cgroup of its own
}

// runScript runs the job to its end and calls then while it still lives.
func (b *bench) runScript(ctx context.Context, then func(pid int, s spent) error) error {
	dir, err := os.MkdirTemp(b.checks.dir, "benchscan")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left says so by its name
	if memoryOnly(dir) {
		logf("CAREFUL  %s is in memory, nothing will be read from storage; set -dir", b.checks.dir)
	}
	if err = makeInputs(dir); err != nil {
		return err
	}
	group := newCgroup()
	defer group.remove()
	order, err := json.Marshal(script{Dir: dir, Cgroup: group.dir, Runs: b.checks.seconds, Rate: b.checks.rate})
	if err != nil {
		return err
	}
	c, lines, err := startCopy(ctx, roleShort, string(order))
	if err != nil {
		return err
	}
	defer c.finish()
	line, err := nextLine(ctx, lines, b.checks.seconds+time.Minute)
	if err != nil {
		return fmt.Errorf("the script did not end well: %w; %s", err, c.words)
	}
	var s spent
	if err := json.Unmarshal([]byte(line), &s); err != nil {
		return fmt.Errorf("the script said %q: %w", line, err)
	}
	s.CgroupCPU = group.cpu()
	return then(c.pid(), s)
}

// creditShortlived compares what the script used with what it was credited.
func (b *bench) creditShortlived(ctx context.Context, l *ledger) (processes int64, out []share, err error) {
	err = b.runScript(ctx, func(pid int, s spent) error {
		// The collector has to see the end.
		if err = sleep(ctx, b.checks.linger); err != nil {
			return err
		}
		processes, out = s.Processes, shares(l, pid, s)
		return nil
	})
	return processes, out, err
}

// shares are the comparisons of a script that a process led.
func shares(l *ledger, pid int, s spent) []share {
	cpu := of(pid, metricWorkloadCPU, metricProcessCPU)
	out := []share{compare(l, "cpu s (wait4)", s.CPU, cpu)}
	if s.CgroupCPU > 0 {
		out = append(out, compare(l, "cpu s (cgroup)", s.CgroupCPU, cpu))
	}
	return append(out,
		compare(l, "bytes read", float64(s.Read), of(pid, metricWorkloadDisk, metricProcessDisk, attributeDisk, "read")),
		compare(l, "bytes written", float64(s.Written), of(pid, metricWorkloadDisk, metricProcessDisk, attributeDisk, "write")),
	)
}

func inputName(dir string, i int) string { return filepath.Join(dir, fmt.Sprintf("in-%02d", i)) }
