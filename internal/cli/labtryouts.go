package cli

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/otel-culprit/culprit/internal/experiment"
	"github.com/otel-culprit/culprit/internal/scenario"
)

// tryout is what came of an experiment on a scenario.
type tryout struct {
	Scenario string `json:"scenario"`
	Seed     uint64 `json:"seed"`
	// Plain is p95 with the plain backup, over that without; Restored is the same
	// with the remedy, in the confirming rounds alone if there were any, and
	// Slowdown what that costs the backup. They are null if nothing was measured or
	// recommended.
	Plain    *experiment.Interval `json:"plain_over_baseline"`
	Remedy   string               `json:"remedy"`
	Restored *experiment.Interval `json:"restored_over_baseline"`
	Slowdown *experiment.Interval `json:"slowdown"`
	Within   bool                 `json:"within"` // the bound of what counts as restored
	Sure     bool                 `json:"sure"`   // that it restores the site
	Report   experiment.Report    `json:"report"`
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
		if alone := report.Decision.Confirmed; alone != nil {
			t.Restored = alone
		}
		t.Within = report.State == experiment.Done && t.Restored.Value <= experiment.Restores
		t.Sure = report.Decision.Sure
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
	row("scenario", "seed", "plain p95, times the baseline", "recommended", "p95 with it, times the baseline", "the backup takes", "within "+strconv.FormatFloat(experiment.Restores, 'g', -1, 64))
	for _, one := range done {
		remedy := "nothing"
		if one.Remedy != "" {
			remedy = experiment.Label(one.Remedy)
		}
		row(one.Scenario, strconv.FormatUint(one.Seed, 10), told(one.Plain), remedy, told(one.Restored), told(one.Slowdown), one.answer())
	}
	return t.Flush()
}

// answer is whether the site was brought back, and whether that is sure.
func (t tryout) answer() string {
	switch {
	case t.Within && t.Sure:
		return "yes, surely"
	case t.Within:
		return "yes, not surely"
	default:
		return "no"
	}
}

// told is a ratio with its range, or a dash.
func told(i *experiment.Interval) string {
	if i == nil {
		return "-"
	}
	return i.Told()
}
