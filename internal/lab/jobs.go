package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/lab/wait"
	"github.com/otel-culprit/culprit/internal/scenario"
)

// jobs are the programs that run beside the site. Each is a script, so that a
// process list shows it under its name.
type jobs struct {
	scene *scene

	mu    sync.Mutex
	names map[int64]string // by PID of what was started
	stops []func()
}

// again is the pause before a job is repeated.
const again = 200 * time.Millisecond

// prepare writes the scripts and does what must be done before them.
func (j *jobs) prepare(ctx context.Context, list []scenario.Job) error {
	j.names = map[int64]string{}
	if err := os.Mkdir(j.scene.file("jobs"), 0o755); err != nil { //nolint:gosec // others may run what is in it
		return fmt.Errorf("make a directory for the jobs: %w", err)
	}
	for _, job := range list {
		script := "#!/bin/sh\n" + job.Run + "\n"
		if err := os.WriteFile(j.script(job), []byte(script), 0o755); err != nil { //nolint:gosec // it is a program
			return fmt.Errorf("write the script of %s: %w", job.Name, err)
		}
		if job.Prepare == "" {
			continue
		}
		c, err := child.Start(ctx, child.Spec{
			Name: "what prepares " + job.Name,
			Argv: []string{"/bin/sh", "-ec", job.Prepare},
			Home: j.scene.stage.Dir(),
			Env:  j.scene.env,
			Log:  j.log(job),
		})
		if err != nil {
			return err
		}
		if err := j.scene.adopt(c); err != nil {
			return err
		}
		<-c.Done()
		if c.Err() != nil {
			return c.Failure()
		}
	}
	return nil
}

func (j *jobs) script(job scenario.Job) string { return filepath.Join(j.scene.file("jobs"), job.Name) }

func (j *jobs) log(job scenario.Job) string { return j.scene.file(job.Name + ".log") }

// start starts a job, and again when it ends if it is to be repeated. The run
// fails if the job does.
func (j *jobs) start(ctx context.Context, job scenario.Job) error {
	first, err := j.begin(ctx, job)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := j.goOn(ctx, job, first); err != nil {
			j.scene.fail(err)
		}
	}()
	j.stops = append(j.stops, func() {
		cancel()
		<-done
	})
	return nil
}

// begin starts a job once.
func (j *jobs) begin(ctx context.Context, job scenario.Job) (*child.Process, error) {
	cpus, wrap := j.scene.placeOf(job)
	c, err := child.Start(ctx, child.Spec{
		Name: job.Name, Argv: []string{j.script(job)}, Home: j.scene.stage.Dir(), Env: j.scene.env,
		Log: j.log(job), CPUs: cpus, Wrap: wrap,
	})
	if err != nil {
		return nil, err
	}
	j.mu.Lock()
	j.names[int64(c.PID())] = job.Name
	j.mu.Unlock()
	return c, j.scene.adopt(c)
}

// goOn waits until a job ends or ctx does, which ends the job.
func (j *jobs) goOn(ctx context.Context, job scenario.Job, current *child.Process) error {
	for {
		select {
		case <-ctx.Done():
		case <-current.Done():
		}
		if ctx.Err() != nil {
			current.Stop()
			return nil
		}
		if current.Err() != nil && !job.MayFail {
			return current.Failure()
		}
		if !job.Repeat || wait.Sleep(ctx, again) != nil {
			return nil
		}
		var err error
		if current, err = j.begin(ctx, job); err != nil {
			return err
		}
	}
}

// stop ends all jobs. It may be called twice.
func (j *jobs) stop() {
	for _, stop := range j.stops {
		stop()
	}
	j.stops = nil
}

// job is the name of the job that a workload is; its own name if it is none.
func (j *jobs) job(workload string, pid int64) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	if name, ours := j.names[pid]; ours {
		return name
	}
	return workload
}
