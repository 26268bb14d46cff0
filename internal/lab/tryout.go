package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/scenario"
	"github.com/otel-culprit/culprit/internal/stage"
)

// TryoutOptions say how remedies are tried on a scenario.
type TryoutOptions struct {
	// Args are more flags of "culprit experiment", such as --repeats=3.
	Args []string
	// Base is the directory in which stages are made; empty for the usual one.
	Base string
	// Progress receives what the experiment says.
	Progress io.Writer
}

// Tryout makes the scene of a plan without a collector, lets "culprit experiment"
// try its remedies on the job, and returns the object that this prints. The
// experiment sends the visitors. Whatever was made has ended when Tryout returns,
// also if ctx ends early.
func Tryout(ctx context.Context, plan scenario.Plan, o TryoutOptions) (report []byte, err error) {
	st, err := stage.New(stage.Options{Base: o.Base, ID: fmt.Sprintf("%s-%d", plan.Name, os.Getpid())}) //nolint:contextcheck // as in build
	if err != nil {
		return nil, err
	}
	ctx, fail := context.WithCancelCause(ctx)
	s := &scene{stage: st, plan: plan, fail: fail, tried: true}
	if report, err = s.tryOut(ctx, o); err != nil {
		err = cause(ctx, err)
	}
	fail(nil)                           // from here on children may end
	if left := s.close(); left != nil { //nolint:contextcheck // it undoes also when ctx has ended
		err = errors.Join(err, fmt.Errorf("not all was undone, 'culprit lab clean' tries again: %w", left))
	}
	return report, err
}

func (s *scene) tryOut(ctx context.Context, o TryoutOptions) ([]byte, error) {
	slowDown := func(context.Context) error { return s.slowDown() }
	for _, part := range []func(context.Context) error{s.make, s.forgetFiles, s.forgetImage, slowDown, s.startUpstream, s.startSite, s.fillCache} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	args, err := s.experimentArgs(ctx, o.Args)
	if err != nil {
		return nil, err
	}
	return s.experiment(ctx, args, o)
}

// image is the disk of a scene on which remedies are tried.
const image = "site"

// serveDisk makes a disk whose rate is bounded in the program behind it. A group
// around the site and the jobs would not do: the experiment has groups of its own,
// and those are not within it.
func (s *scene) serveDisk(ctx context.Context) error {
	s.device = s.stage.Backing()
	group, err := s.stage.Group("disk", stage.Limits{IO: []stage.IOLimit{s.rate(preparing, preparing)}})
	if err != nil {
		return err
	}
	disk, err := s.stage.FaultyDisk(ctx, stage.DiskSpec{Name: image, SizeMiB: s.plan.Host.Disk.SizeMiB, Within: group})
	if err != nil {
		return err
	}
	// The stage ends the members of groups first: then the disk must not be needed.
	s.onExit(func() {
		_ = errors.Join(group.SetIO(s.rate(preparing, preparing)), disk.Unmount(context.WithoutCancel(ctx))) // else the stage does it
	})
	s.root, s.bound = disk.Path, group
	return nil
}

// forgetImage drops from the page cache what is below the site's disk.
func (s *scene) forgetImage(ctx context.Context) error {
	if s.bound == nil || s.bound == s.group {
		return nil
	}
	return stage.Evict(ctx, s.file(image+".img"))
}

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
		args = append(args, "--data="+s.db.tables())
	}
	if s.net != nil {
		args = append(args, "--i-own-this="+s.inside)
	}
	for _, page := range pages(s.plan) {
		args = append(args, "--path="+page)
	}
	return append(append(append(args, more...), "--"), command...), nil
}

// anew is the shell line that lets a job begin as if it had never run.
func anew(job scenario.Job) string {
	const empty = `find "$OUT" "$PEER_DIR" -ignore_readdir_race -mindepth 1 -delete`
	if job.Prepare == "" {
		return empty
	}
	return empty + " && " + job.Prepare
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
		list[i] = "/item/" + strconv.Itoa(i)
		if p.Site.Server == "nginx" {
			list[i] = "/" + fileName(i)
		}
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
		argv = append([]string{"taskset", "-c", strconv.Itoa(s.cpus.siteCPU)}, argv...)
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
	cmd.Env = spec{env: env}.environment()
	cmd.WaitDelay = patience
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("split %q into words: %w", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"), nil
}

// undoing is how long an experiment may take to end its backup and to undo what it
// did.
const undoing = 30 * time.Second

// experiment runs this program's command of that name where the visitors are.
func (s *scene) experiment(ctx context.Context, args []string, o TryoutOptions) ([]byte, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	printed := s.file("experiment.json")
	c, err := start(context.WithoutCancel(ctx), spec{
		name: "the experiment", argv: append([]string{program}, args...), log: printed, says: o.Progress,
		home: s.stage.Dir(), env: append(s.env, "CULPRIT_LAB_DIR="+filepath.Dir(s.stage.Dir()), "PEER_DIR="+s.peerDir()),
		cpus: s.cpus.rest, ends: unix.SIGTERM,
	})
	if err != nil {
		return nil, err
	}
	s.onExit(c.stop)
	if err := s.adopt(c); err != nil {
		return nil, err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		c.signal(unix.SIGTERM)
		c.await(undoing)
		return nil, context.Cause(ctx)
	}
	report, err := os.ReadFile(printed) //nolint:gosec // in the run's directory
	if err == nil && len(report) == 0 {
		err = fmt.Errorf("the experiment ended without a report (%w); what it said stands above", cmp.Or(c.err, errors.New("exit status 0")))
	}
	return report, err
}

// peerDir is where what goes to another host is kept; the jobs' own directory if
// there is no other host.
func (s *scene) peerDir() string {
	if s.net == nil {
		return s.on("out")
	}
	return s.file("peer")
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
