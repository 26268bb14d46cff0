package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/otel-culprit/culprit/internal/experiment"
	"github.com/otel-culprit/culprit/internal/experiment/trial"
	"github.com/otel-culprit/culprit/internal/lab"
	"github.com/otel-culprit/culprit/internal/scenario"
)

func newLabExperiment(s streams) *cobra.Command {
	l := labExperiments{streams: s, tryOut: lab.Tryout}
	cmd := &cobra.Command{
		Use:   "experiment SCENARIO...|all",
		Short: "Let 'culprit experiment' try remedies on the scenarios' backups",
		Long: "experiment makes the site and the backup of each scenario, without the collector, and lets\n" +
			"'culprit experiment' find the remedy. At the end a table tells whether the remedies that it\n" +
			"recommends bring the site's p95 back to 1.5 times what it is without the backup, by the rounds\n" +
			"that confirm them. With all, it takes those scenarios on which remedies can be tried here.\n" +
			"A scenario takes about a quarter of an hour, on a host that should be quiet otherwise. The exit\n" +
			"status is 0 only if all of them are brought back.",
		Example:           "  culprit lab experiment disk-restic net-rsync cpu-xz -o experiments",
		Args:              scenarios,
		ValidArgsFunction: completeScenarios,
		RunE: func(cmd *cobra.Command, names []string) error {
			l.seed = seedOf(cmd, l.seed)
			return l.run(cmd.Context(), names)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&l.repeats, "repeats", 3, "how often each remedy is tried; more make the ranges surer")
	flags.IntVar(&l.confirm, "confirm", 5, "rounds more of the remedy that was chosen, by which it is judged; 0 for none")
	flags.DurationVar(&l.block, "block", 15*time.Second, "how long each is tried, unless the backup ends before")
	flags.Uint64Var(&l.seed, "seed", 0, "of the scenarios' sizes and rates, and of the order of the blocks (default: from the clock)")
	flags.BoolVar(&l.asJSON, "json", false, "print one JSON object a scenario; what a person reads goes to standard error")
	flags.StringVarP(&l.pages, "output", "o", "", "directory for a page with a picture for each scenario")
	flags.StringVar(&l.base, "base", "", "directory in which everything is made (default: $CULPRIT_LAB_DIR, else /var/tmp/culprit-lab, for others than root with their number)")
	return cmd
}

// labExperiments are experiments on scenarios, one after the other.
type labExperiments struct {
	streams

	seed    uint64
	repeats int
	confirm int
	block   time.Duration
	asJSON  bool
	pages   string // directory for them; empty for none
	base    string
	// tryOut plays the experiment on one scenario, as [lab.Tryout] does.
	tryOut func(context.Context, scenario.Plan, lab.TryoutOptions) (report []byte, err error)

	done      []tryout
	broken    int // without a report
	blemished int // with a report and an error
}

func (l *labExperiments) say(format string, args ...any) {
	_, _ = fmt.Fprintf(l.err, format+"\n", args...)
}

// person is where goes what a person reads.
func (l *labExperiments) person() io.Writer {
	if l.asJSON {
		return l.err
	}
	return l.out
}

func (l *labExperiments) run(ctx context.Context, names []string) error {
	list, err := choose(names)
	if err != nil {
		return err
	}
	if err = l.check(); err != nil {
		return usageError{err}
	}
	plans, err := l.draw(list, slices.Contains(names, "all")) //nolint:contextcheck // it asks programs for what they can do, which is quick
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
	return l.tryAll(ctx, plans)
}

// check refuses what 'culprit experiment' would refuse, before anything is made for
// it. The site and the backup are not known yet: others stand for them here.
func (l *labExperiments) check() error {
	return trial.Options{
		Web: "http://127.0.0.1/", Command: []string{"backup"}, Settle: time.Second, AbortAbove: time.Second, LimitTime: time.Hour,
		Repeats: l.repeats, Confirm: l.confirm, Block: l.block,
	}.Check()
}

// draw decides the numbers of all scenarios. One that cannot be tried here is an
// error, before any is begun, unless all were asked for: then it is left out.
func (l *labExperiments) draw(list []*scenario.Scenario, all bool) ([]scenario.Plan, error) {
	can := lab.Probe(l.base)
	var plans []scenario.Plan
	for _, sc := range list {
		plan, err := sc.Draw(l.seed)
		if err != nil {
			return nil, err
		}
		why := can.Try(plan)
		switch {
		case why == nil:
			plans = append(plans, plan)
		case all:
			l.say("%-20s not tried: %s", plan.Name, strings.ReplaceAll(why.Error(), "\n", "; "))
		default:
			return nil, fmt.Errorf("no remedies can be tried on scenario %s: %w", plan.Name, why)
		}
	}
	if len(plans) == 0 {
		return nil, errors.New("there is no scenario on which remedies can be tried here")
	}
	return plans, nil
}

// tryAll tries the remedies of all scenarios. One that breaks does not keep the
// others from being tried. If ctx ends, what is known is told all the same.
func (l *labExperiments) tryAll(ctx context.Context, plans []scenario.Plan) error {
	defer context.AfterFunc(ctx, l.onInterrupt)()
	var ended error // early
	for _, plan := range plans {
		l.say("\n%s, seed %d: %s", plan.Name, plan.Seed, plan.Summary)
		one, err := l.try(ctx, plan)
		if one != nil {
			if failed := l.tell(*one); failed != nil {
				return errors.Join(err, failed)
			}
			l.done = append(l.done, *one)
		}
		if ctx.Err() != nil {
			ended = cmp.Or(err, context.Cause(ctx))
			break
		}
		switch {
		case err == nil:
			continue
		case one == nil:
			l.broken++
		default:
			l.blemished++
		}
		l.say("culprit: scenario %s: %v", plan.Name, err)
	}
	if err := errors.Join(ended, writeTryouts(l.person(), l.done)); err != nil {
		return err
	}
	return l.verdict()
}

// onInterrupt says that it ends, and lets a second interrupt end the process, and
// with it the experiment, which says so.
func (l *labExperiments) onInterrupt() {
	l.say("culprit: interrupted: what was made for the experiment is undone when it has ended")
	signal.Reset(syscall.SIGINT, syscall.SIGTERM)
}

// try plays the experiment on one scenario. There may be a report and an error:
// what was found holds, though it ended early or not all was undone.
func (l *labExperiments) try(ctx context.Context, plan scenario.Plan) (*tryout, error) {
	args := []string{
		fmt.Sprint("--repeats=", l.repeats), fmt.Sprint("--confirm=", l.confirm), "--block=" + l.block.String(), fmt.Sprint("--seed=", l.seed),
	}
	if l.pages != "" {
		args = append(args, "--output="+filepath.Join(l.pages, plan.Name+".html"))
	}
	printed, err := l.tryOut(ctx, plan, lab.TryoutOptions{Args: args, Base: l.base, Progress: l.err})
	if len(printed) == 0 {
		return nil, err
	}
	var report experiment.Report
	if bad := json.Unmarshal(printed, &report); bad != nil {
		return nil, errors.Join(err, fmt.Errorf("what the experiment printed cannot be read: %w", bad))
	}
	one := summed(plan, report)
	return &one, err
}

// tell prints what came of one.
func (l *labExperiments) tell(one tryout) error {
	var err error
	if l.asJSON {
		err = json.NewEncoder(l.out).Encode(one)
	}
	_, failed := fmt.Fprintf(l.person(), "\n%s, seed %d\n\n%s", one.Scenario, one.Seed, one.Report.Text())
	return errors.Join(err, failed)
}

// verdict ends the command.
func (l *labExperiments) verdict() error {
	restored := 0
	for _, one := range l.done {
		if one.Within {
			restored++
		}
	}
	l.say("\nof %d: %d brought back, %d not, %d broken", len(l.done)+l.broken, restored, len(l.done)-restored, l.broken)
	if l.blemished > 0 {
		l.say("%d of them ended with an error, which stands above", l.blemished)
	}
	if restored < len(l.done)+l.broken || l.blemished > 0 {
		return errSaid
	}
	return nil
}
