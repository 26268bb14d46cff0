package trial

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/otel-culprit/culprit/internal/experiment"
	"github.com/otel-culprit/culprit/internal/lab/load"
	"github.com/otel-culprit/culprit/internal/lab/wait"
	"github.com/otel-culprit/culprit/internal/stage"
)

// trial is an experiment that goes on.
type trial struct {
	Options
	load     *load.Load
	leave    context.CancelFunc // ends the load
	gauge    gauge
	stage    *stage.Stage
	device   device
	command  experiment.Command
	remedies []experiment.Remedy
	missing  []experiment.Missing
	limiters map[string]limiter // by ID of the remedy, as the next two
	argv     map[string][]string
	typed    map[string]experiment.Recipe
	way      experiment.Way
	random   *rand.Rand
	began    time.Time
	blocks   []experiment.Block
	notes    []string
	restless int           // blocks before which the site did not become calm
	broke    string        // how the chosen remedy failed in a confirming round
	longest  time.Duration // of a block, with all that belongs to it
}

// What ends the blocks early.
var (
	errTime        = errors.New("the time of --limit-time is over")
	errInterrupted = errors.New("it was interrupted")
)

// Run plays an experiment. It is an error if it could not be played; one that
// was aborted, ran out of time, failed on its way or was interrupted, because ctx
// ended, is reported with what it has. If not all could be undone, that is an error
// beside the report.
func Run(ctx context.Context, o Options) (report experiment.Report, err error) {
	if err = o.Check(); err != nil {
		return report, err
	}
	if err = o.found(); err != nil {
		return report, err
	}
	visitors, err := load.NewVisitors(load.Visitors{URL: o.Web, Paths: o.Paths, Seed: o.Seed, Owned: o.Owned})
	if err != nil {
		return report, err
	}
	made, err := stage.New(stage.Options{Base: o.Base}) //nolint:contextcheck // it bounds its time itself
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, made.Close()) }() //nolint:contextcheck // what was made is undone after ctx ended, too
	t := &trial{
		Options: o, load: visitors, stage: made, began: time.Now(),
		command:  experiment.Parse(o.Command, o.Catalog),
		limiters: map[string]limiter{}, typed: map[string]experiment.Recipe{}, way: groupsWay(), argv: map[string][]string{experiment.Without: o.Command},
		random: rand.New(rand.NewPCG(o.Seed, o.Seed+1)), //nolint:gosec // the order must be the same each time
	}
	var host experiment.Host
	host, t.device = probe(ctx, o, t.command, stage.Probe()) //nolint:contextcheck // it bounds its time itself
	if t.gauge, err = newGauge(t.device.number); err != nil {
		return report, fmt.Errorf("read what the host does: %w", err)
	}
	t.remedies, t.missing = experiment.Remedies(host, t.command)
	if err = t.skip(); err != nil {
		return report, err
	}
	if err = t.announce(); err != nil {
		return report, err
	}
	playing, interrupt := context.WithCancelCause(context.WithoutCancel(ctx))
	defer context.AfterFunc(ctx, func() { interrupt(errInterrupted) })()
	playing, cancel := context.WithTimeoutCause(playing, o.LimitTime, errTime)
	defer cancel()
	state, stopped, err := t.underLoad(playing)
	if err != nil {
		return report, err
	}
	return t.report(state, stopped), nil
}

// skip leaves out what the user does not want to be tried.
func (t *trial) skip() error {
	for _, id := range t.Skip {
		i := slices.IndexFunc(t.remedies, func(r experiment.Remedy) bool { return r.ID == id })
		switch {
		case i >= 0:
			t.leaveOut(t.remedies[i], "it was to be skipped (--skip)")
		case !slices.ContainsFunc(t.missing, func(m experiment.Missing) bool { return m.ID == id }):
			return fmt.Errorf("--skip: there is no remedy %q; there are %s", id, strings.Join(t.ids(), ", "))
		}
	}
	return nil
}

func (t *trial) ids() []string {
	var ids []string
	for _, r := range t.remedies {
		ids = append(ids, r.ID)
	}
	return ids
}

// leaveOut drops a remedy, with the blocks that it had.
func (t *trial) leaveOut(r experiment.Remedy, why string) {
	t.missing = append(t.missing, experiment.Missing{ID: r.ID, Title: r.Title, Why: why})
	t.remedies = slices.DeleteFunc(t.remedies, func(other experiment.Remedy) bool { return other.ID == r.ID })
	t.blocks = slices.DeleteFunc(t.blocks, func(b experiment.Block) bool { return b.Arm == r.ID })
}

// announce says what will be done and how long it takes.
func (t *trial) announce() error {
	arms := len(t.remedies) + 2
	usual, most := t.times().Expected(arms * t.Repeats)
	if usual > t.LimitTime {
		return fmt.Errorf("%d arms with %d repeats take %v, more than --limit-time, %v: raise that, or lower --repeats or --block, or --skip some of %s",
			arms, t.Repeats, usual, t.LimitTime, strings.Join(t.ids(), ", "))
	}
	t.Say("The backup: %s", experiment.ShellLine(t.Command))
	if len(t.remedies) > 0 {
		t.Say("What will be tried (--skip with a name leaves it out):")
	}
	for _, r := range t.remedies {
		t.Say("  %-14s %s", r.ID, r.Title)
	}
	bounded := func(d time.Duration) time.Duration { return min(d, t.LimitTime).Round(time.Second) }
	t.Say("%d arms, %d repeats, blocks of %v: about %v, at most %v. Seed %d.", arms, t.Repeats, t.Block, bounded(usual), bounded(most), t.Seed)
	if t.Confirm > 0 {
		more, mostMore := t.times().ExpectedRounds(t.Confirm)
		t.Say("Rounds that confirm the remedy that is chosen: up to %d, about %v with them, at most %v.", t.Confirm, bounded(usual+more), bounded(most+mostMore))
	}
	return nil
}

// underLoad plays all blocks while the load runs.
func (t *trial) underLoad(ctx context.Context) (state experiment.State, stopped string, err error) {
	var visiting context.Context
	visiting, t.leave = context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.load.Run(visiting)
	}()
	defer func() {
		t.leave()
		<-done
	}()
	t.load.SetRate(visiting, t.rate())
	err = t.answers(ctx)
	if err == nil {
		err = t.play(ctx)
	}
	return t.ending(err)
}

func (t *trial) rate() float64 {
	if t.Rate == 0 {
		return probing
	}
	return t.Rate
}

// answers makes sure that there is a site before anything is done to it.
func (t *trial) answers(ctx context.Context) error {
	began := time.Now()
	if err := wait.Sleep(ctx, t.Settle); err != nil {
		return err
	}
	for {
		until := time.Now().Add(-looking)
		took, failed := t.load.Took(began, until)
		switch {
		case failed > len(took)/2:
			return fmt.Errorf("%d of %d requests to %s failed, %s: the site must run and answer with status 200; correct --web, or name other pages with --path", failed, len(took), t.Web, t.commonest(began, until))
		case len(took) >= 5:
			return nil
		}
		if err := wait.Sleep(ctx, looking); err != nil {
			return err
		}
	}
}

// commonest tells the commonest failure of the requests between two times.
func (t *trial) commonest(from, until time.Time) string {
	why, times := t.load.CommonestFailure(from, until)
	return fmt.Sprintf("%d of them with %q", times, why)
}

// play plays the blocks in order, and then confirms what was chosen.
func (t *trial) play(ctx context.Context) error {
	for repeat, arms := range experiment.Order(t.ids(), t.Repeats, t.random.IntN) {
		for _, arm := range arms {
			if arm != experiment.Baseline && arm != experiment.Without && !slices.Contains(t.ids(), arm) {
				continue // left out meanwhile
			}
			failure, err := t.block(ctx, arm, repeat)
			if err == nil && failure != nil {
				err = t.unfit(arm, failure)
			}
			if err != nil {
				return err
			}
			if repeat == 0 && arm == experiment.Without {
				if err := t.derive(); err != nil {
					return err
				}
			}
		}
	}
	return t.confirm(ctx, t.block)
}

// derive makes what depends on how much the plain backup uses.
func (t *trial) derive() error {
	plain := experiment.UseOf(t.blocks)
	for _, r := range slices.Clone(t.remedies) {
		argv, why := r.Argv(t.command, plain)
		var limits experiment.Limits
		if r.Group != nil && why == "" {
			limits, why = r.Group(plain)
		}
		if why != "" {
			t.Say("  not tried after all: %s", r.ID)
			t.leaveOut(r, why)
			continue
		}
		t.argv[r.ID], t.typed[r.ID] = argv, experiment.Recipe{Command: experiment.ShellLine(argv), Undo: r.Undo}
		if r.Group == nil {
			continue
		}
		t.typed[r.ID] = experiment.Recipe{Command: limits.Typed(t.way, t.device.number, argv), Undo: limits.Undo(t.way)}
		group, err := t.stage.Group(strings.ReplaceAll(r.ID, "_", "-"), groupLimits(limits, t.device.number))
		if err != nil {
			return fmt.Errorf("make the control group for %s: %w", r.ID, err)
		}
		t.limiters[r.ID] = group
	}
	return nil
}

// report sums up.
func (t *trial) report(state experiment.State, stopped string) experiment.Report {
	return experiment.Report{
		Web: t.Web, Command: t.Command, Rate: t.rate(), Live: t.Rate == 0, Seed: t.Seed, Repeats: t.Repeats, Device: t.device.name,
		State: state, Stopped: stopped, Missing: t.missing, Blocks: t.blocks, Restless: t.restless, Broke: t.broke, Notes: slices.Clone(t.notes),
	}.Sum(t.remedies, t.typed)
}

// wrapped is the whole command of an arm.
func (t *trial) wrapped(id string) []string {
	if l, ok := t.limiters[id]; ok {
		return l.Wrap(t.argv[id])
	}
	return t.argv[id]
}
