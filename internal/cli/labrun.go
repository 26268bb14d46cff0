package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/lab"
	"github.com/otel-culprit/culprit/internal/lab/collector"
	"github.com/otel-culprit/culprit/internal/scenario"
)

func newLabRun(s streams) *cobra.Command {
	l := labRun{streams: s}
	cmd := &cobra.Command{
		Use:   "run SCENARIO...|all",
		Short: "Make incidents on this host, and judge the verdicts",
		Long: "run plays scenarios one after the other, each in less than 90 s, on a host that should be quiet\n" +
			"otherwise. It undoes what it makes; after a kill -9, 'culprit lab clean' does.\n" +
			"Sizes, rates and times come from a seed, a fresh one each time: it is printed, and --seed N makes the same again.\n" +
			"The exit status is 0 only if all verdicts were right and no run was void.",
		Args:              scenarios,
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, names []string) error {
			l.seed = seedOf(cmd, l.seed)
			return l.run(cmd.Context(), names)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&l.asJSON, "json", false, "print one JSON object a run; what a person reads goes to standard error (without it, only the progress does)")
	flags.Uint64Var(&l.seed, "seed", 0, "seed of the first round, the next ones count on (default: from the clock)")
	flags.IntVar(&l.rounds, "runs", 1, "rounds")
	flags.StringVar(&l.keep, "keep", "", "directory in which the recordings are kept, with their truth, for 'culprit eval'")
	flags.StringVar(&l.raw, "journals", "", "directory in which the collector's journals are kept as they are, with all that ran on this host")
	flags.StringVar(&l.opts.Collector, "otelcol", "", "path of otelcol-culprit (default: beside this program, then PATH)")
	flags.StringVar(&l.opts.Base, "base", "", "directory in which everything is made (default: $CULPRIT_LAB_DIR, else /var/tmp/culprit-lab, for others than root with their number)")
	return cmd
}

// seedOf is the seed that a command was given, else one from the clock.
func seedOf(cmd *cobra.Command, given uint64) uint64 {
	if cmd.Flags().Changed("seed") {
		return given
	}
	return uint64(time.Now().Unix()) //nolint:gosec // the clock is not before 1970
}

// labRun is a series of runs.
type labRun struct {
	streams

	seed   uint64 // of the first round
	rounds int
	asJSON bool
	opts   lab.RunOptions
	keep   string // directory for the recordings; empty for none
	raw    string // directory for the journals; empty for none
	can    lab.Abilities
	all    bool // of the scenarios are asked for, also those that this host cannot play
	total  int
	// isBackup knows the names of backup programs.
	isBackup func(job string) bool

	done, wrong, void, skipped, broken int
	blemished                          int // not kept or not undone, but judged
}

func (l *labRun) run(ctx context.Context, names []string) error {
	list, err := choose(names)
	if err != nil {
		return err
	}
	if l.rounds < 1 {
		return usageError{fmt.Errorf("--runs is %d: it must be 1 or more", l.rounds)}
	}
	l.opts.Progress, l.opts.Terminal = l.err, isTerminal(l.err)
	if l.opts.Collector, err = collector.Find(l.opts.Collector); err != nil {
		return err
	}
	if l.opts.Keep, err = keepers(l.keep, l.raw); err != nil {
		return err
	}
	known, err := files.Default()
	if err != nil {
		return err
	}
	l.isBackup = func(job string) bool {
		_, ok := known.Tool(job)
		return ok
	}
	l.all, l.total = slices.Contains(names, "all"), l.rounds*len(list)
	l.can = lab.Probe(l.opts.Base) //nolint:contextcheck // it asks programs for what they can do, which is quick
	for i := range l.rounds {
		for _, sc := range list {
			if err := l.play(ctx, sc, l.seed+uint64(i)); err != nil {
				return err
			}
		}
	}
	return l.verdict()
}

func (l *labRun) say(format string, args ...any) { _, _ = fmt.Fprintf(l.err, format+"\n", args...) }

// play plays one run. A run that breaks does not keep the others from being
// played.
func (l *labRun) play(ctx context.Context, sc *scenario.Scenario, seed uint64) error {
	plan, err := sc.Draw(seed)
	if err != nil {
		return err
	}
	l.done++
	if lacks := l.can.Play(plan); lacks != nil {
		l.skipped++
		if !l.all {
			return fmt.Errorf("scenario %s cannot be played here: %w", plan.Name, lacks)
		}
		l.say("%-20s not here: %v", plan.Name, lacks)
		return nil
	}
	run, err := lab.RunScenario(ctx, plan, l.opts)
	judged := err == nil || errors.As(err, new(lab.Blemish))
	if ctx.Err() != nil && !judged { // it has said so
		return interrupted(err)
	}
	if err != nil {
		l.say("culprit: %v", err)
		if !judged {
			l.broken++
			return nil
		}
		l.blemished++
	}
	switch {
	case run.Void:
		l.void++
	case !run.Correct || run.BlamedBackup:
		l.wrong++
	}
	l.tell(run)
	if l.asJSON {
		if err := json.NewEncoder(l.out).Encode(run); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return errSaid
	}
	return nil
}

// interrupted is what is left to be said when a run was.
func interrupted(err error) error {
	if left := (lab.Leftover{}); errors.As(err, &left) {
		return left
	}
	return errSaid
}

// tell says what came of a run: all that a person wants to know if it is the only
// one, else in short.
func (l *labRun) tell(run lab.Run) {
	person := l.out
	if l.asJSON {
		person = l.err
	}
	if l.total == 1 {
		_, _ = fmt.Fprintf(person, "%s\n%s", describeRun(run), run.Account(l.isBackup))
		return
	}
	_, _ = fmt.Fprintf(person, "%3d/%d  %s\n%s", l.done, l.total, describeRun(run), run.Summary(l.isBackup))
}

// verdict ends the series.
func (l *labRun) verdict() error {
	played := l.done - l.skipped
	if l.total == 1 && l.keep+l.raw == "" && played == 1 && l.broken == 0 {
		l.say("For all of the evidence and the remedies, run it again with --seed %d --keep DIR: 'culprit explain' tells them of the recording.", l.seed)
	}
	if l.total > 1 {
		l.sayTally(played)
	}
	if l.blemished > 0 && l.total > 1 {
		l.say("%d of them were not kept or not undone", l.blemished)
	}
	if l.wrong+l.void+l.broken+l.blemished > 0 || played == 0 {
		return errSaid
	}
	return nil
}

// sayTally counts what came of the runs.
func (l *labRun) sayTally(played int) {
	l.say("of %d: %d right, %d wrong, %d void, %d broken; %d cannot be played here",
		l.done, played-l.wrong-l.void-l.broken, l.wrong, l.void, l.broken, l.skipped)
}

// describeRun says in a line what came of a run.
func describeRun(r lab.Run) string {
	outcome := "right"
	switch {
	case r.Void:
		outcome = "void"
	case r.BlamedBackup:
		outcome = "BLAMED AN INNOCENT BACKUP"
	case !r.Correct:
		outcome = "wrong"
	}
	said := "no verdict"
	if v := r.Verdict; v.Cause != "" {
		words := strings.Fields(strings.Join(append([]string{v.State, v.Cause, v.Resource, v.Suspect}, v.Together...), " "))
		said = fmt.Sprintf("%s %.0f %%", strings.Join(words, " "), 100*v.Confidence)
	}
	if after := float64(r.SymptomToVerdict); !math.IsNaN(after) {
		said += fmt.Sprintf(", %.0f s after the symptom", after)
	}
	return fmt.Sprintf("%-20s seed %d  %-6s %s; p95 %.1f -> %.1f ms", r.Scenario, r.Seed, outcome, said, r.P95.Before, r.P95.During)
}
