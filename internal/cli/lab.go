package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/otel-culprit/culprit/internal/catalog/files"
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
		Args: onlyCommands,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newLabList(s), newLabShow(s), newLabRun(s), newLabScore(s), newLabClean(s))
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
	known := make([]string, 0, len(every))
	for _, s := range every {
		known = append(known, s.Name)
	}
	list := make([]*scenario.Scenario, 0, len(names))
	for _, name := range names {
		i := slices.Index(known, name)
		if i < 0 {
			return nil, usageError{fmt.Errorf("%s is no scenario%s", name, cmp.Or(meant(like(name, known)), ": 'culprit lab list' lists them"))}
		}
		list = append(list, every[i])
	}
	return list, nil
}

// completeScenarios completes the names of scenarios that are not named yet.
func completeScenarios(_ *cobra.Command, given []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	list, err := choose([]string{"all"})
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []cobra.Completion
	if len(given) == 0 {
		names = append(names, cobra.CompletionWithDesc("all", "every scenario"))
	}
	for _, sc := range list {
		if plan, err := sc.Draw(0); err == nil && !slices.Contains(given, sc.Name) {
			names = append(names, cobra.CompletionWithDesc(sc.Name, plan.Summary))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// scenarios wants the name of one, or of more.
func scenarios(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s needs the name of a scenario, or all: 'culprit lab list' lists them", cmd.Name())
	}
	return nil
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
			return listScenarios(s.out, list, lab.Probe(""))
		},
	}
}

// listScenarios writes those that this host can play, and then the others, once
// for each reason.
func listScenarios(w io.Writer, list []*scenario.Scenario, can lab.Abilities) error {
	var (
		text    strings.Builder
		reasons []string
	)
	lacking := map[string][]string{}
	text.WriteString("guilty: a backup, or another nightly job, is to blame; innocent: no backup is, though one may run.\n\n")
	for _, sc := range list {
		plan, err := sc.Draw(0)
		if err != nil {
			return err
		}
		line := fmt.Sprintf("%-20s %-8s  %s\n", plan.Name, plan.Kind, plan.Summary)
		if err := can.Play(plan); err != nil {
			reason := strings.ReplaceAll(err.Error(), "\n", "; ")
			if !slices.Contains(reasons, reason) {
				reasons = append(reasons, reason)
			}
			lacking[reason] = append(lacking[reason], line)
			continue
		}
		text.WriteString(line)
	}
	for _, reason := range reasons {
		text.WriteString("\nNot here, because " + reason + "\n" + strings.Join(lacking[reason], ""))
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func newLabShow(s streams) *cobra.Command {
	var seed uint64
	cmd := &cobra.Command{
		Use:   "show SCENARIO...|all",
		Short: "Say what a run would do",
		Long: "show says what a run with a seed would do: with --seed N, that of 'culprit lab run --seed N'.\n" +
			"Without, it shows seed 1, while run draws a fresh one each time, and prints it.",
		Args:              scenarios,
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, names []string) error {
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
			if !cmd.Flags().Changed("seed") {
				_, err = fmt.Fprintf(s.err, "This is seed %d. run draws a fresh seed and prints it; 'culprit lab run %s --seed %d' does just this.\n", seed, strings.Join(names, " "), seed)
			}
			return err
		},
	}
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of the run, as run prints it")
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
			"Sizes, rates and times come from a seed, a fresh one each time: it is printed, and --seed N makes the same again.\n" +
			"The exit status is 0 only if all verdicts were right and no run was void.",
		Args:              scenarios,
		ValidArgsFunction: completeScenarios,
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
			if opts.Collector, err = lab.FindCollector(opts.Collector); err != nil {
				return err
			}
			if opts.Keep, err = keepers(keep, raw); err != nil {
				return err
			}
			known, err := files.Default()
			if err != nil {
				return err
			}
			l := labRun{
				streams: s, asJSON: asJSON, opts: opts, can: lab.Probe(opts.Base), kept: keep+raw != "", all: slices.Contains(names, "all"), total: runs * len(list),
				isBackup: func(job string) bool {
					_, ok := known.Tool(job)
					return ok
				},
			}
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
	// isBackup knows the names of backup programs.
	isBackup func(job string) bool

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
	if l.total == 1 {
		l.say("%s\n%s", describeRun(run), strings.TrimRight(run.Account(l.isBackup), "\n"))
		return
	}
	l.say("%3d/%d  %s\n%s", l.done, l.total, describeRun(run), strings.TrimRight(run.Summary(l.isBackup), "\n"))
}

// verdict ends the series.
func (l *labRun) verdict() error {
	played := l.done - l.skipped
	if l.total == 1 && !l.kept && played == 1 {
		l.say("For all of the evidence and the remedies, run it with --keep DIR: 'culprit explain DIR/*.gz' tells them.")
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
