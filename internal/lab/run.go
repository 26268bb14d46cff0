package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/otel-culprit/culprit/internal/lab/collector"
	"github.com/otel-culprit/culprit/internal/lab/output"
	"github.com/otel-culprit/culprit/internal/lab/victim"
	"github.com/otel-culprit/culprit/internal/lab/wait"
	"github.com/otel-culprit/culprit/internal/scenario"
	"github.com/otel-culprit/culprit/internal/stage"
)

// RunOptions say how scenarios are run.
type RunOptions struct {
	// Collector is the path of otelcol-culprit. If it is empty, the program is
	// looked for beside this one and then in the PATH.
	Collector string
	// Base is the directory in which stages are made; empty for the usual one.
	Base string
	// Keep takes what a run left before it is removed; nil to let it go.
	Keep func(Run, Files) error
	// Progress receives what a person reads; nil for nothing.
	Progress io.Writer
	// Terminal says that Progress is one.
	Terminal bool
}

// Files are what a run leaves.
type Files struct {
	Dir     string // in which all of the run was
	Journal string // of the collector
}

// runner is one run.
type runner struct {
	plan    scenario.Plan
	opts    RunOptions
	screen  *output.Screen
	started time.Time
	scene   *scene
	inbox   *collector.Inbox
	jobs    *jobs
	journal string

	began, onset, ended time.Time // of what is watched, of the trouble, of its end
	fail                context.CancelCauseFunc
}

// runLimit bounds a run, whatever happens.
const runLimit = 3 * time.Minute

// Blemish is the error of a run that was judged, and whose verdict counts, but
// which was not kept or not undone in full.
type Blemish struct{ error }

// Leftover is the error of a run that was not undone in full.
type Leftover struct{ error }

// RunScenario plays a plan on this host and judges the verdict on it. Whatever it
// made and started has ended when it returns, also if ctx ends early. The run is
// valid if there is no error but a [Blemish].
func RunScenario(ctx context.Context, plan scenario.Plan, opts RunOptions) (run Run, err error) {
	if opts.Progress == nil {
		opts.Progress = io.Discard
	}
	r := &runner{plan: plan, opts: opts, inbox: collector.NewInbox(victim.Service), started: time.Now(), screen: output.New(opts.Progress, opts.Terminal)}
	defer r.screen.Clear()
	interrupted := r.onInterrupt(ctx)
	ctx, cancel := context.WithTimeoutCause(ctx, runLimit, fmt.Errorf("the run was broken off, because it took longer than %v", runLimit))
	defer cancel()
	ctx, r.fail = context.WithCancelCause(ctx)
	defer r.fail(nil)
	run, err = r.run(ctx)
	if err != nil {
		err = wait.Cause(ctx, err)
	} else if failed := r.keep(run); failed != nil {
		err = Blemish{fmt.Errorf("the recording is not kept: %w", failed)}
	}
	err = r.undo(err, interrupted) //nolint:contextcheck // it undoes also when ctx has ended
	if err != nil {
		err = fmt.Errorf("scenario %s, seed %d: %w", plan.Name, plan.Seed, err)
	}
	return run, err
}

// onInterrupt says at once when ctx ends, because undoing takes a while. The
// returned function ends that, and tells whether it was said.
func (r *runner) onInterrupt(ctx context.Context) (interrupted func() bool) {
	said := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(said)
		r.screen.Printf("interrupted (%v): what was made is being undone", context.Cause(ctx))
	})
	return func() bool {
		if stop() {
			return false
		}
		<-said
		return true
	}
}

// undo ends and undoes everything after a run that ended with an error or nil, and
// joins what could not be undone to it.
func (r *runner) undo(failed error, interrupted func() bool) error {
	left := r.close()
	said := interrupted()
	switch {
	case left == nil && said:
		r.screen.Block("all of it is undone")
		return failed
	case left == nil:
		return failed
	}
	left = Leftover{fmt.Errorf("not all was undone, 'culprit lab clean' tries again: %w", left)}
	if failed == nil {
		return Blemish{left}
	}
	return errors.Join(failed, left)
}

// run goes through everything up to the end of the collector.
func (r *runner) run(ctx context.Context) (run Run, err error) {
	if err = r.build(ctx); err != nil {
		return run, err
	}
	if err = r.play(ctx); err != nil {
		return run, err
	}
	if run, err = r.conclude(); err != nil {
		return run, err
	}
	r.fail(nil)              // from here on children may end
	r.scene.collector.Stop() // it flushes its journal
	run.Duration = output.Number(time.Since(r.started).Seconds())
	return run, nil
}

// conclude judges what the collector said, if all of that can be read.
func (r *runner) conclude() (Run, error) {
	if err := r.inbox.Unreadable(); err != nil {
		return Run{}, fmt.Errorf("the collector sent findings that cannot be read: %w", err)
	}
	return r.judge(), nil
}

// keep lets the caller take what the run left.
func (r *runner) keep(run Run) error {
	if r.opts.Keep == nil {
		return nil
	}
	if !r.scene.collector.InOrder() {
		return fmt.Errorf("its journal may be cut, because the collector did not end in order when it was asked to: %w", r.scene.collector.Failure())
	}
	return r.opts.Keep(run, Files{r.scene.stage.Dir(), r.journal})
}

func (r *runner) say(format string, args ...any) {
	r.screen.Status(time.Now(), fmt.Sprintf("%s %3.0f s  ", r.plan.Name, time.Since(r.started).Seconds())+fmt.Sprintf(format, args...))
}

// moment is something that is done at a time of the plan.
type moment struct {
	at   time.Duration // from the onset
	what string
	do   func(context.Context) error
}

// play goes through the plan.
func (r *runner) play(ctx context.Context) error {
	var steps []moment
	for _, j := range r.plan.Jobs {
		steps = append(steps, moment{j.Start.Duration(), j.Name + " starts", func(ctx context.Context) error { return r.jobs.start(ctx, j) }})
	}
	for _, c := range r.plan.Changes {
		steps = append(steps, moment{c.Start.Duration(), c.What, func(ctx context.Context) error { return r.scene.change(ctx, c) }})
	}
	slices.SortStableFunc(steps, func(a, b moment) int { return int(a.at - b.at) })

	r.began = time.Now()
	r.onset = r.began.Add(r.plan.Times.Learn.Duration())
	r.say("learning what is usual")
	for _, s := range steps {
		if err := wait.Sleep(ctx, time.Until(r.onset.Add(s.at))); err != nil {
			return err
		}
		r.say("%s", s.what)
		if err := s.do(ctx); err != nil {
			return err
		}
	}
	if err := wait.Sleep(ctx, time.Until(r.onset.Add(r.plan.Times.During.Duration()))); err != nil {
		return err
	}
	r.ended = time.Now()
	r.say("the trouble ends")
	if err := r.scene.restore(ctx, r.plan.Changes); err != nil {
		return err
	}
	r.jobs.stop()
	return wait.Sleep(ctx, r.plan.Times.After.Duration())
}

// reacting is what is left out of figures after a change.
const reacting = time.Second

// judge compares what was said with what was done.
func (r *runner) judge() Run {
	visitors := r.scene.load
	before := visitors.Stats(r.began.Add(reacting), r.onset)
	during := visitors.Stats(r.onset.Add(reacting), r.ended)
	t := r.plan.Truth
	run := Run{
		Scenario: r.plan.Name,
		Seed:     r.plan.Seed,
		Truth:    RunTruth{r.plan.Kind, t.Suspect, t.Cause, t.Resource, t.Accomplices, t.Innocent},
		P95:      RunP95{output.Number(before.P95), output.Number(during.P95)},
		Service:  victim.Service,
		Onset:    output.Number(float64(r.onset.UnixMilli()) / 1000),
	}
	findings := r.inbox.Until(r.ended.Add(r.plan.Times.After.Duration()))
	run.BlamedBackup = blames(findings, t, r.jobs)
	if t.Cause != scenario.Nothing { // else whatever is said is wrong
		findings = slices.DeleteFunc(findings, func(f collector.Finding) bool { return f.Received.Before(r.onset) })
		run.Void = during.P95 < visible*before.P95 && !run.BlamedBackup
	}
	var since time.Time
	run.Verdict, since = verdictOf(findings, r.jobs)
	run.Strongest = strongestOf(findings, r.jobs)
	run.said = toldOf(findings)
	run.Correct = run.Verdict.correct(t)
	run.SymptomToVerdict = output.Unknown()
	if rose, ok := visitors.SlowFrom(r.onset, r.ended, visible*before.P95); ok && run.Verdict.sure() {
		run.SymptomToVerdict = output.Number(max(0, since.Sub(rose).Seconds()))
	}
	return run
}

// close ends and undoes everything.
func (r *runner) close() error {
	if r.scene != nil {
		r.scene.heal()
	}
	if r.jobs != nil {
		r.jobs.stop()
	}
	if r.scene == nil {
		return nil
	}
	return r.scene.close()
}

// build makes the scene, and starts all but what the plan starts.
func (r *runner) build(ctx context.Context) error {
	program, err := collector.Find(r.opts.Collector)
	if err != nil {
		return err
	}
	r.say("preparing")
	st, err := stage.New(stage.Options{Base: r.opts.Base, ID: fmt.Sprintf("%s-%d", r.plan.Name, os.Getpid())}) //nolint:contextcheck // it asks programs for what they can do, which is quick
	if err != nil {
		return err
	}
	r.journal = filepath.Join(st.Dir(), "journal.jsonl")
	r.scene = &scene{stage: st, plan: r.plan, fail: r.fail}
	if err = r.scene.make(ctx); err != nil {
		return err
	}
	r.jobs = &jobs{scene: r.scene}
	if err = r.jobs.prepare(ctx, r.plan.Jobs); err != nil {
		return err
	}
	return r.scene.open(ctx, program, r.journal, r.inbox)
}
