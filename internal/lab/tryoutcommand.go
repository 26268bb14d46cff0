package lab

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/scenario"
	"github.com/otel-culprit/culprit/internal/stage"
)

const (
	// tooSlow is the p95 at which an experiment stops: far above what jobs do to
	// the site of a scenario, since that is to be seen.
	tooSlow = 30 * time.Second
	// longestTrial is when an experiment ends at the latest.
	longestTrial = 4 * time.Hour
)

// experimentArgs are those of "culprit experiment" for the scene.
func (s *scene) experimentArgs(ctx context.Context, more []string) ([]string, error) {
	job := s.plan.Jobs[0]
	command, err := s.command(ctx, job)
	if err != nil {
		return nil, err
	}
	args := []string{
		"experiment", "--json", "--web=" + s.base(), "--rate=" + strconv.FormatFloat(s.plan.Site.Rate, 'f', -1, 64),
		"--data=" + s.dataDir(), "--prepare=" + anew(job), "--abort-above=" + tooSlow.String(), "--limit-time=" + longestTrial.String(),
	}
	if s.db != nil {
		args = append(args, "--data="+s.db.Tables())
	}
	if s.net != nil {
		args = append(args, "--i-own-this="+s.inside)
	}
	for _, page := range pages(s.plan) {
		args = append(args, "--path="+page)
	}
	return append(append(append(args, more...), "--"), command...), nil
}

// anew is the shell script that lets a job begin as if it had never run. What the
// job needs may be several lines: none runs after one that failed.
func anew(job scenario.Job) string {
	const empty = `find "$OUT" "$PEER_DIR" -ignore_readdir_race -mindepth 1 -delete`
	if job.Prepare == "" {
		return empty
	}
	return "set -e\n" + empty + "\n" + job.Prepare
}

// pages are what visitors ask for, each as often.
func pages(p scenario.Plan) []string {
	const rows = 1000 // of a database that are asked for
	items := max(p.Site.Files, 1)
	if p.Site.Query != "" {
		items = max(items, rows)
	}
	list := make([]string, items)
	for i := range list {
		list[i] = page(p, i)
	}
	return list
}

// command is a job's command in its place: the experiment itself is on other CPUs,
// and outside of the site's network, as visitors are.
func (s *scene) command(ctx context.Context, job scenario.Job) ([]string, error) {
	argv, err := argvOf(ctx, job.Run, s.env)
	if err != nil {
		return nil, fmt.Errorf("what %s runs: %w", job.Name, err)
	}
	if s.plan.Host.OneCPU && !job.Elsewhere {
		if _, err := exec.LookPath("taskset"); err != nil {
			return nil, errors.New("there is no program taskset, which puts the job on the site's CPU: install util-linux")
		}
		argv = append([]string{"taskset", "-c", strconv.Itoa(s.cpus.SiteCPU)}, argv...)
	}
	return s.in(nil)(argv), nil
}

// argvOf is a job's line as a command, so that its tool can be recognised: the
// shell itself splits it and fills in the variables. A line that is more than one
// program stays one for the shell.
func argvOf(ctx context.Context, line string, env []string) ([]string, error) {
	words, single := strings.CutPrefix(strings.TrimSpace(line), "exec ")
	if !single || strings.ContainsAny(words, "|&;<>()`\n") {
		return []string{"sh", "-c", line}, nil
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", "set -- "+words+"\nprintf '%s\\0' \"$@\"") //nolint:gosec // of the lab's own plan
	cmd.Env = child.Spec{Env: env}.Environment()
	cmd.WaitDelay = child.Patience
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("split %q into words: %w", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"), nil
}

// Try tells why remedies cannot be tried on a plan here; nil if they can.
func (a Abilities) Try(p scenario.Plan) error {
	if why := unfit(p); why != "" {
		return errors.New(why)
	}
	err := a.Play(p)
	if d := p.Host.Disk; d != nil && d.ReadMBps+d.WriteMBps > 0 {
		if missing := a.stage.Missing(stage.NeedFaultyDisk); missing != "" {
			err = errors.Join(err, errors.New(missing))
		}
	}
	return err
}

// unfit says why there is nothing to try remedies on, whatever the host; it is
// empty if there is.
func unfit(p scenario.Plan) string {
	switch {
	case p.Kind != scenario.Guilty || p.Truth.Cause != scenario.Contention || len(p.Jobs) != 1 || len(p.Changes) > 0:
		return "it is not one job alone that slows the site: there is no remedy to try on it"
	case p.Host.MemoryMiB > 0:
		return "the memory of the site and the job is bounded in a control group, which those of the remedies are not within"
	case p.Site.Query != "" && p.Jobs[0].Prepare != "":
		return "its job changes the database, which cannot be prepared anew for each block"
	}
	return ""
}
