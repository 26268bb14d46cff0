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

	"github.com/otel-culprit/culprit/internal/lab"
	"github.com/otel-culprit/culprit/internal/scenario"
	"github.com/otel-culprit/culprit/internal/stage"
	labfiles "github.com/otel-culprit/culprit/lab"
)

func newLab(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Make real incidents on this host, and judge the verdicts",
		Long: "lab plays scenarios: a real backup, or something else, slows a real site down, and the verdict\n" +
			"of otelcol-culprit is held against the truth. A seed decides sizes, rates and times.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLabList(s), newLabShow(s), newLabRun(s), newLabExperiment(s), newLabScore(s), newLabClean(s))
	for _, sub := range cmd.Commands() {
		sub.Args = asUsage(sub.Args)
	}
	return cmd
}

// choose takes the scenarios of the given names, or all.
func choose(names []string) ([]*scenario.Scenario, error) {
	every, err := labfiles.Scenarios()
	if err != nil {
		return nil, err
	}
	if slices.Contains(names, "all") {
		return every, nil
	}
	known := map[string]*scenario.Scenario{}
	for _, s := range every {
		known[s.Name] = s
	}
	list := make([]*scenario.Scenario, 0, len(names))
	for _, name := range names {
		if known[name] == nil {
			return nil, usageError{fmt.Errorf("%s is no scenario: 'culprit lab list' lists them", name)}
		}
		list = append(list, known[name])
	}
	return list, nil
}

func newLabList(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the scenarios, and what this host lacks for them",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			list, err := choose([]string{"all"})
			if err != nil {
				return err
			}
			can := lab.Probe("")
			for _, sc := range list {
				plan, err := sc.Draw(0)
				if err != nil {
					return err
				}
				line := fmt.Sprintf("%-20s %-8s  %s", plan.Name, plan.Kind, plan.Summary)
				if err := can.Play(plan); err != nil {
					line += fmt.Sprintf("\n%-20s %-8s  not here: %v", "", "", err)
				}
				if _, err := fmt.Fprintln(s.out, line); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func newLabShow(s streams) *cobra.Command {
	var seed uint64
	cmd := &cobra.Command{
		Use:   "show SCENARIO...|all",
		Short: "Say what a run would do",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, names []string) error {
			list, err := choose(names)
			if err != nil {
				return err
			}
			for _, sc := range list {
				plan, err := sc.Draw(seed)
				if err != nil {
					return err
				}
				if _, err := fmt.Fprintln(s.out, plan.Describe()); err != nil {
					return err
				}
			}
			return nil
		},
	}
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of the run")
	return cmd
}

func newLabRun(s streams) *cobra.Command {
	var (
		asJSON bool
		seed   uint64
		runs   int
		opts   lab.RunOptions
		keep   string
		raw    string
	)
	cmd := &cobra.Command{
		Use:   "run SCENARIO...|all",
		Short: "Make incidents on this host, and judge the verdicts",
		Long: "run plays scenarios one after the other, each in less than 90 s, on a host that should be quiet\n" +
			"otherwise. It undoes what it makes; after a kill -9, 'culprit lab clean' does.\n" +
			"The exit status is 0 only if all verdicts were right and no run was void.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			list, err := choose(names)
			if err != nil {
				return err
			}
			if runs < 1 {
				return usageError{fmt.Errorf("--runs is %d: it must be 1 or more", runs)}
			}
			if !cmd.Flags().Changed("seed") {
				seed = uint64(time.Now().Unix()) //nolint:gosec // the clock is not before 1970
			}
			opts.Progress = s.err
			opts.Terminal = isTerminal(s.err)
			if opts.Keep, err = keepers(keep, raw); err != nil {
				return err
			}
			l := labRun{streams: s, asJSON: asJSON, opts: opts, can: lab.Probe(opts.Base), kept: keep+raw != "", all: slices.Contains(names, "all"), total: runs * len(list)}
			for i := range runs {
				for _, sc := range list {
					if err := l.play(cmd.Context(), sc, seed+uint64(i)); err != nil {
						return err
					}
				}
			}
			return l.verdict()
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&asJSON, "json", false, "print one JSON object a run; what a person reads goes to standard error")
	flags.Uint64Var(&seed, "seed", 0, "seed of the first round, the next ones count on (default: from the clock)")
	flags.IntVar(&runs, "runs", 1, "rounds")
	flags.StringVar(&keep, "keep", "", "directory in which the recordings are kept, with their truth, for 'culprit eval'")
	flags.StringVar(&raw, "journals", "", "directory in which the collector's journals are kept as they are, with all that ran on this host")
	flags.StringVar(&opts.Collector, "otelcol", "", "path of otelcol-culprit (default: beside this program, then PATH)")
	flags.StringVar(&opts.Base, "base", "", "directory in which everything is made (default: $CULPRIT_LAB_DIR, else /var/tmp/culprit-lab, for others than root with their number)")
	return cmd
}

// labRun is a series of runs.
type labRun struct {
	streams

	asJSON bool
	opts   lab.RunOptions
	can    lab.Abilities
	kept   bool // what a run leaves
	all    bool // of the scenarios are asked for, also those that this host cannot play
	total  int

	done, wrong, void, skipped, broken int
	blemished                          int // not kept or not undone, but judged
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
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	if err != nil {
		l.say("culprit: %v", err)
		if !errors.As(err, new(lab.Blemish)) {
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
	l.say("%3d/%d  %s", l.done, l.total, describeRun(run))
	if l.asJSON {
		return json.NewEncoder(l.out).Encode(run)
	}
	return nil
}

// verdict ends the series.
func (l *labRun) verdict() error {
	played := l.done - l.skipped
	if l.total == 1 && !l.kept && played == 1 {
		l.say("For the evidence and the remedies, run it with --keep DIR: 'culprit explain DIR/*.gz' tells them.")
	}
	l.say("of %d: %d right, %d wrong, %d void, %d broken; %d cannot be played here",
		l.done, played-l.wrong-l.void-l.broken, l.wrong, l.void, l.broken, l.skipped)
	if l.blemished > 0 {
		l.say("%d of them were not kept or not undone", l.blemished)
	}
	if l.wrong+l.void+l.broken+l.blemished > 0 || played == 0 {
		return errSaid
	}
	return nil
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

func newLabClean(s streams) *cobra.Command {
	var base string
	cmd := &cobra.Command{
		Use:   "clean",
		Short: "Undo what runs left behind that were killed",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			done, err := stage.Clean(cmd.Context(), base)
			for _, line := range done.Undone {
				_, _ = fmt.Fprintln(s.out, line)
			}
			for _, run := range done.InUse {
				_, _ = fmt.Fprintln(s.out, run+" is under way, and is left alone")
			}
			if err == nil && len(done.Undone)+len(done.InUse) == 0 {
				_, err = fmt.Fprintln(s.out, "nothing was left behind")
			}
			return err
		},
	}
	cmd.Flags().StringVar(&base, "base", "", "directory in which runs make everything (default: $CULPRIT_LAB_DIR, else /var/tmp/culprit-lab, for others than root with their number)")
	return cmd
}
