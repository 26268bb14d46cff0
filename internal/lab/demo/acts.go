package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/otel-culprit/culprit/internal/lab/child"
	"github.com/otel-culprit/culprit/internal/lab/collector"
	"github.com/otel-culprit/culprit/internal/lab/load"
	"github.com/otel-culprit/culprit/internal/lab/output"
	"github.com/otel-culprit/culprit/internal/lab/wait"
)

// unsteady is a p95 that is so many times the p50: on a quiet host it is two or
// three times, with random arrivals at the usual load.
const unsteady = 8

// warnIfUnsteady tells a person whether the figures can be trusted, from how
// the site did while nothing was done to it.
func (d *demo) warnIfUnsteady(learned load.Stats) {
	if learned.Failed > 0 {
		d.screen.Printf("CAREFUL  %d of %d requests failed before anything was done to the site.", learned.Failed, learned.Offered)
	}
	if learned.P95 > unsteady*learned.P50 {
		d.screen.Printf("CAREFUL  The site was unsteady before anything was done to it: half of the requests took up to\n"+
			"         %s ms, but one in twenty more than %s ms. Other work on this machine may spoil the figures\n"+
			"         and the verdicts: for good ones, end it and run the demo again.", milliseconds(learned.P50), milliseconds(learned.P95))
	}
}

// awaitCalm waits before an act until no incident is open, as long as the rest
// of the plan allows, and says so. The act is played in any case.
func (d *demo) awaitCalm(ctx context.Context, act string, rest time.Duration) error {
	calm := func() bool {
		_, episodes := d.inbox.OpenNow()
		return episodes == 0
	}
	if calm() {
		return nil
	}
	if patience := d.plan.patience(time.Until(d.end), rest); patience > 0 {
		d.enter(act + ": waiting until the incident is closed")
		d.screen.Printf("\nAn incident is still open: %s waits up to %.0f s until it is closed.", act, patience.Seconds())
		d.inbox.Await(ctx, patience, calm)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if !calm() {
		d.screen.Printf("The incident is still open, and %s begins: its verdict may speak of both.", act)
	}
	return nil
}

// guilty is the first act: a backup takes the CPU that the site needs. While it
// goes on, a remedy is applied that works on this host.
func (d *demo) guilty(ctx context.Context, b backup) (Act, error) {
	act := Act{Name: "guilty_backup", Truth: truthCharged, trueCause: "contention"}
	act.row(d, "before", time.Now().Add(-d.plan.Learn), time.Now())
	d.warnIfUnsteady(act.phases[0].Stats)
	if _, episodes := d.inbox.OpenNow(); episodes > 0 {
		d.screen.Block("CAREFUL  The site is slow although nothing was done to it: other work on this machine may spoil the figures.")
	}
	if err := d.awaitCalm(ctx, "act 1", d.plan.guilty()+d.plan.innocent()); err != nil {
		return act, err
	}

	d.enter("act 1: a backup takes the site's CPU")
	d.screen.Printf("\nACT 1    A nightly backup starts on the site's CPU:\n         $ %s", b.line)
	job, stop, err := d.startBackup(ctx, "the backup", b.argv)
	if err != nil {
		return act, err
	}
	defer stop()
	onset := time.Now()
	d.mark(ctx, "guilty_backup", "A backup that will slow the site down starts.")
	d.hear(ctx, &act, onset, job)
	if err := wait.Sleep(ctx, time.Until(onset.Add(d.plan.During))); err != nil {
		return act, err
	}
	act.row(d, "backup", onset.Add(d.plan.Settle), time.Now())

	if err := d.help(ctx, &act, job); err != nil {
		return act, err
	}

	d.enter("act 1: the backup is stopped")
	stop()
	d.truth = append(d.truth, Truth{Name: act.Name, Text: "a backup takes the site's CPU", From: onset, To: time.Now()})
	d.mark(ctx, "backup_stopped", "The backup is stopped.")
	stopped := time.Now()
	if err := wait.Sleep(ctx, d.plan.Recover); err != nil {
		return act, err
	}
	act.row(d, "backup stopped", stopped.Add(d.plan.Settle), time.Now())
	d.screen.Block(renderPhases(act.phases))
	act.percentiles(1, 2)
	return act, nil
}

// help applies a remedy of the verdict to the backup while it goes on, and
// measures what that does.
func (d *demo) help(ctx context.Context, act *Act, job *child.Process) error {
	remedy, ok := chooseRemedy(act.remedies, job.Leads, os.ReadFile)
	if !ok {
		d.screen.Block("REMEDY   None that the demo could apply by itself was named: the backup goes on as it is.")
		return d.measure(ctx, act, "backup without a remedy")
	}
	d.enter("act 1: the remedy works, the backup goes on")
	d.screen.Printf("REMEDY   %s, while the backup goes on:\n         $ %s\n         %s.", remedy.Title, remedy.Command, remedy.Why)
	if err := remedy.apply(); err != nil {
		return err
	}
	d.mark(ctx, "remedy", remedy.Command)
	return d.measure(ctx, act, "backup with the remedy")
}

// innocent is the second act: more visitors come while a backup runs that
// hardly uses anything.
func (d *demo) innocent(ctx context.Context) (Act, error) {
	act := Act{Name: "innocent_backup", Truth: truthCleared, trueCause: "traffic_surge"}
	if err := d.awaitCalm(ctx, "act 2", d.plan.innocent()); err != nil {
		return act, err
	}
	b := gentleBackup(d.dir)
	d.enter("act 2: a gentle backup runs")
	d.screen.Printf("\nACT 2    A gentle backup starts, and then %.0f times as many visitors come:\n         $ %s", d.plan.Surge, shellLine(b))
	job, stop, err := d.startBackup(ctx, "the gentle backup", b)
	if err != nil {
		return act, err
	}
	defer stop()
	d.mark(ctx, "innocent_backup", "A backup that hardly uses anything starts.")
	began := time.Now()
	if err = wait.Sleep(ctx, d.plan.Overlap); err != nil {
		return act, err
	}
	act.row(d, "gentle backup", began, time.Now())

	d.enter("act 2: a surge of visitors, the gentle backup runs")
	onset := time.Now()
	d.load.SetRate(ctx, d.rate*d.plan.Surge)
	d.mark(ctx, "surge", fmt.Sprintf("%.0f times as many visitors come.", d.plan.Surge))
	d.hear(ctx, &act, onset, job)
	if err = wait.Sleep(ctx, time.Until(onset.Add(d.plan.During))); err != nil {
		return act, err
	}
	act.row(d, "gentle backup and surge", onset.Add(d.plan.Settle), time.Now())
	d.load.SetRate(ctx, d.rate)
	d.truth = append(d.truth, Truth{Name: act.Name, Text: "a surge of traffic while a gentle backup runs", From: onset, To: time.Now()})
	d.mark(ctx, "surge_ended", "The usual number of visitors come again.")

	d.enter("act 2: the surge is over, the gentle backup runs")
	err = wait.Until(ctx, d.plan.Drain, func(context.Context) error {
		if s := d.load.Stats(onset, time.Now().Add(-time.Second)); s.Unfinished > 0 {
			return fmt.Errorf("%d requests wait", s.Unfinished)
		}
		return nil
	})
	if err != nil && ctx.Err() != nil {
		return act, err
	}
	if err := d.measure(ctx, &act, "gentle backup, surge over"); err != nil {
		return act, err
	}
	d.screen.Block(renderPhases(act.phases))
	act.percentiles(1, 2)
	return act, nil
}

// startBackup starts a backup on the site's CPU. It must go on until stop.
func (d *demo) startBackup(ctx context.Context, name string, argv []string) (job *child.Process, stop func(), err error) {
	job, err = child.Start(ctx, child.Spec{Name: name, Argv: argv, CPUs: d.cpus.Site, Log: filepath.Join(d.dir, "backup.log")})
	if err != nil {
		return nil, nil, err
	}
	watching, unwatch := context.WithCancel(ctx)
	go job.Watch(watching, d.fail)
	return job, func() {
		unwatch()
		job.Stop()
	}, nil
}

// hear waits for the verdict on what began at onset, shows it and notes it.
func (d *demo) hear(ctx context.Context, act *Act, onset time.Time, job *child.Process) {
	mine := d.windowsOf(job, onset)
	var last *collector.Finding
	d.inbox.Await(ctx, time.Until(onset.Add(d.plan.Verdict)), func() bool {
		for _, f := range d.inbox.Since(onset) {
			last = &f
			if settled(f.Verdict, mine) {
				return true
			}
		}
		return false
	})
	act.Verdict, act.Cause = "none", "none"
	act.Confidence, act.OnsetToVerdict = output.Unknown(), output.Unknown()
	if ctx.Err() != nil {
		return
	}
	if last == nil {
		d.screen.Printf("No verdict came within %v.", d.plan.Verdict)
		return
	}
	v := last.Verdict
	act.answered, act.remedies = true, v.Remedies
	act.Verdict, act.Cause, act.Confidence = judge(v, mine), v.Cause.Kind, output.Number(v.Cause.Confidence)
	act.OnsetToVerdict = output.Number(last.Received.Sub(onset).Seconds())
	d.screen.Block("\n" + renderVerdict(v, d.rate, time.Local))
	d.screen.Printf("  %.0f s after the trouble began\n%s", act.OnsetToVerdict, renderScore(*act))
}

// windowsOf recognises the windows of a job. A window that names no process is
// the job's if it opened no earlier: then the host's units hide processes.
func (d *demo) windowsOf(job *child.Process, started time.Time) func(id string) bool {
	return func(id string) bool {
		w, ok := d.inbox.Window(id)
		if !ok {
			return false
		}
		if w.PID == 0 {
			return !w.Start.Before(started.Add(-d.plan.Overlap - 5*time.Second))
		}
		return job.Leads(int(w.PID))
	}
}

// measure lets a change settle and then measures the site.
func (d *demo) measure(ctx context.Context, act *Act, name string) error {
	if err := wait.Sleep(ctx, d.plan.Settle); err != nil {
		return err
	}
	from := time.Now()
	if err := wait.Sleep(ctx, d.plan.Measure); err != nil {
		return err
	}
	act.row(d, name, from, time.Now())
	return nil
}

// row adds a phase to the act's table.
func (a *Act) row(d *demo, name string, from, until time.Time) {
	a.phases = append(a.phases, phaseStats{name: name, Stats: d.load.Stats(from, until)})
}

// percentiles takes the figures of the result from the table.
func (a *Act) percentiles(during, after int) {
	a.P95 = Percentiles{
		Before: output.Number(a.phases[0].P95),
		During: output.Number(a.phases[during].P95),
		After:  output.Number(a.phases[after].P95),
	}
}
