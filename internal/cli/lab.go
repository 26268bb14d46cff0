package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

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
		Args: onlyCommands,
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
				_, err := fmt.Fprintf(s.err, "This is seed %d. run draws a fresh seed and prints it; 'culprit lab run %s --seed %d' does just this.\n", seed, strings.Join(names, " "), seed)
				return err
			}
			return nil
		},
	}
	cmd.Flags().Uint64Var(&seed, "seed", 1, "seed of the run, as run prints it")
	return cmd
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
				_, _ = fmt.Fprintln(s.out, run+", and is left alone")
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
