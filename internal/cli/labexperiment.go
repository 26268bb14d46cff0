package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/otel-culprit/culprit/internal/experiment"
	"github.com/otel-culprit/culprit/internal/lab"
	"github.com/otel-culprit/culprit/internal/scenario"
)

func newLabExperiment(s streams) *cobra.Command {
	var (
		l       labExperiments
		seed    uint64
		repeats int
		confirm int
		block   time.Duration
	)
	cmd := &cobra.Command{
		Use:   "experiment SCENARIO...",
		Short: "Let 'culprit experiment' try remedies on the scenarios' backups",
		Long: "experiment makes the site and the backup of each scenario, without the collector, and lets\n" +
			"'culprit experiment' find the remedy. At the end a table tells whether the remedies that it\n" +
			"recommends bring the site's p95 back to 1.5 times what it is without the backup.\n" +
			"A scenario takes about a quarter of an hour, on a host that should be quiet otherwise. The exit\n" +
			"status is 0 only if all of them are brought back.",
		Example: "  culprit lab experiment disk-restic net-rsync cpu-xz -o experiments",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			list, err := choose(names)
			if err != nil {
				return err
			}
			if !cmd.Flags().Changed("seed") {
				seed = uint64(time.Now().Unix()) //nolint:gosec // the clock is not before 1970
			}
			plans, err := l.draw(list, seed)
			if err != nil {
				return err
			}
			if l.pages != "" {
				if l.pages, err = filepath.Abs(l.pages); err == nil {
					err = os.MkdirAll(l.pages, 0o755) //nolint:gosec // pages are for all to read
				}
				if err != nil {
					return fmt.Errorf("--output: %w", err)
				}
			}
			l.streams = s
			l.args = []string{fmt.Sprintf("--repeats=%d", repeats), fmt.Sprintf("--confirm=%d", confirm), "--block=" + block.String(), fmt.Sprintf("--seed=%d", seed)}
			return l.tryAll(cmd.Context(), plans)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&repeats, "repeats", 3, "how often each remedy is tried; more make the intervals smaller")
	flags.IntVar(&confirm, "confirm", 3, "rounds more of the remedy that was chosen")
	flags.DurationVar(&block, "block", 15*time.Second, "how long each is tried, unless the backup ends before")
	flags.Uint64Var(&seed, "seed", 0, "of the scenarios' sizes and rates, and of the order of the blocks (default: from the clock)")
	flags.BoolVar(&l.asJSON, "json", false, "print one JSON object a scenario; what a person reads goes to standard error")
	flags.StringVarP(&l.pages, "output", "o", "", "directory for a page with a picture for each scenario")
	flags.StringVar(&l.base, "base", "", "directory in which everything is made (default: $CULPRIT_LAB_DIR, else /var/tmp/culprit-lab, for others than root with their number)")
	return cmd
}

// labExperiments are experiments on scenarios, one after the other.
type labExperiments struct {
	streams

	asJSON bool
	pages  string // directory for them; empty for none
	base   string
	args   []string // of each experiment
}

// tryout is what came of one of them.
type tryout struct {
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	// Plain is p95 with the plain backup, over that without; Restored is the same
	// with the remedy, and Slowdown what that costs the backup. They are null if
	// nothing was measured or recommended.
	Plain    *experiment.Interval `json:"plain_over_baseline"`
	Remedy   string               `json:"remedy"`
	Restored *experiment.Interval `json:"restored_over_baseline"`
	Slowdown *experiment.Interval `json:"slowdown"`
	Within   bool                 `json:"within"` // the bound of what counts as restored
	Report   experiment.Report    `json:"report"`
}

// draw decides the numbers of all scenarios. One that cannot be tried here is an
// error, before any is begun.
func (l *labExperiments) draw(list []*scenario.Scenario, seed uint64) ([]scenario.Plan, error) {
	can := lab.Probe(l.base)
	var plans []scenario.Plan
	for _, sc := range list {
		plan, err := sc.Draw(seed)
		if err != nil {
			return nil, err
		}
		if err := can.Try(plan); err != nil {
			return nil, fmt.Errorf("no remedies can be tried on scenario %s: %w", plan.Name, err)
		}
		plans = append(plans, plan)
	}
	return plans, nil
}

// tryAll tries the remedies of all scenarios. One that breaks does not keep the
// others from being tried.
func (l *labExperiments) tryAll(ctx context.Context, plans []scenario.Plan) error {
	person := l.out
	if l.asJSON {
		person = l.err
	}
	var (
		done   []tryout
		broken int
		ended  error // early
	)
	for _, plan := range plans {
		_, _ = fmt.Fprintf(l.err, "\n%s, seed %d: %s\n", plan.Name, plan.Seed, plan.Summary)
		one, err := l.try(ctx, plan)
		if ctx.Err() != nil {
			ended = cmp.Or(err, context.Cause(ctx))
			break
		}
		if err != nil {
			broken++
			_, _ = fmt.Fprintf(l.err, "culprit: scenario %s: %v\n", plan.Name, err)
			continue
		}
		done = append(done, one)
		if l.asJSON {
			err = json.NewEncoder(l.out).Encode(one)
		}
		if _, failed := fmt.Fprintf(person, "\n%s, seed %d\n\n%s", plan.Name, plan.Seed, one.Report.Text()); err != nil || failed != nil {
			return errors.Join(err, failed)
		}
	}
	if err := errors.Join(ended, writeTryouts(person, done)); err != nil {
		return err
	}
	return restoredAll(l.err, done, broken)
}

// try plays the experiment on one scenario.
func (l *labExperiments) try(ctx context.Context, plan scenario.Plan) (tryout, error) {
	args := l.args
	if l.pages != "" {
		args = append(args[:len(args):len(args)], "--output="+filepath.Join(l.pages, plan.Name+".html"))
	}
	printed, err := lab.Tryout(ctx, plan, lab.TryoutOptions{Args: args, Base: l.base, Progress: l.err})
	if err != nil {
		return tryout{}, err
	}
	var report experiment.Report
	if err := json.Unmarshal(printed, &report); err != nil {
		return tryout{}, fmt.Errorf("what the experiment printed cannot be read: %w", err)
	}
	return summed(plan, report), nil
}

// summed is what an experiment came to.
func summed(plan scenario.Plan, report experiment.Report) tryout {
	t := tryout{Scenario: plan.Name, Seed: plan.Seed, Report: report}
	for _, arm := range report.Arms {
		if arm.ID == experiment.Without && arm.Blocks > 0 {
			t.Plain = &arm.OverBaseline.P95
		}
	}
	if arm, ok := report.Recommended(); ok {
		t.Remedy, t.Restored, t.Slowdown = arm.ID, &arm.OverBaseline.P95, &arm.Slowdown
		t.Within = report.State == experiment.Done && t.Restored.Value <= experiment.Restores
	}
	return t
}

// writeTryouts writes a line for each scenario.
func writeTryouts(w io.Writer, done []tryout) error {
	if len(done) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { _, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) } // Flush tells what went wrong
	row()
	row("scenario", "seed", "plain p95 over baseline", "recommended", "p95 over baseline with it", "the backup takes", "within "+strconv.FormatFloat(experiment.Restores, 'g', -1, 64))
	for _, one := range done {
		within, remedy := "no", "nothing"
		if one.Within {
			within = "yes"
		}
		if one.Remedy != "" {
			remedy = one.Remedy
		}
		row(one.Scenario, strconv.FormatUint(one.Seed, 10), ranged(one.Plain), remedy, ranged(one.Restored), ranged(one.Slowdown), within)
	}
	return t.Flush()
}

// ranged is a ratio with its interval, or a dash.
func ranged(i *experiment.Interval) string {
	if i == nil {
		return "-"
	}
	return fmt.Sprintf("%s (%s to %s)", experiment.Figure(i.Value), experiment.Figure(i.Low), experiment.Figure(i.High))
}

// restoredAll ends the command.
func restoredAll(w io.Writer, done []tryout, broken int) error {
	restored := 0
	for _, one := range done {
		if one.Within {
			restored++
		}
	}
	_, _ = fmt.Fprintf(w, "\nof %d: %d brought back, %d not, %d broken\n", len(done)+broken, restored, len(done)-restored, broken)
	if restored < len(done)+broken {
		return errSaid
	}
	return nil
}
