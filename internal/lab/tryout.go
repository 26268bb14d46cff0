package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/lab/wait"
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
// also if ctx ends early. The report may come with an error, with what was found
// until then; it is empty if there is none.
func Tryout(ctx context.Context, plan scenario.Plan, o TryoutOptions) (report []byte, err error) {
	st, err := stage.New(stage.Options{Base: o.Base, ID: fmt.Sprintf("%s-%d", plan.Name, os.Getpid())}) //nolint:contextcheck // as in build
	if err != nil {
		return nil, err
	}
	ctx, fail := context.WithCancelCause(ctx)
	s := &scene{stage: st, plan: plan, fail: fail, tried: true}
	if report, err = s.tryOut(ctx, o); err != nil {
		err = wait.Cause(ctx, err)
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

// undoing is how long an experiment may take to end its backup and to undo what it
// did.
const undoing = 30 * time.Second

// experiment runs this program's command of that name where the visitors are. If
// ctx ends, the command is asked to end, and what it still prints is returned with
// the reason.
func (s *scene) experiment(ctx context.Context, args []string, o TryoutOptions) ([]byte, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	printed := s.file("experiment.json")
	c, err := child.Start(context.WithoutCancel(ctx), child.Spec{
		Name: "the experiment", Argv: append([]string{program}, args...), Log: printed, Says: o.Progress,
		Home: s.stage.Dir(), Env: append(s.env, "CULPRIT_LAB_DIR="+filepath.Dir(s.stage.Dir()), "PEER_DIR="+s.peerDir()),
		CPUs: s.cpus.Rest, Ends: unix.SIGTERM,
	})
	if err != nil {
		return nil, err
	}
	s.onExit(c.Stop)
	if err = s.adopt(c); err != nil {
		return nil, err
	}
	select {
	case <-c.Done():
	case <-ctx.Done():
		c.Ask(undoing)
	}
	report, err := os.ReadFile(printed) //nolint:gosec // in the run's directory
	switch {
	case ctx.Err() != nil:
		return report, errors.Join(context.Cause(ctx), err)
	case err != nil:
		return nil, err
	case c.Err() != nil:
		return report, fmt.Errorf("the experiment ended with %w; what it said stands above", c.Err())
	case len(report) == 0:
		return nil, errors.New("the experiment printed no report")
	}
	return report, nil
}

// peerDir is where what goes to another host is kept; the jobs' own directory if
// there is no other host.
func (s *scene) peerDir() string {
	if s.net == nil {
		return s.on("out")
	}
	return s.file("peer")
}
