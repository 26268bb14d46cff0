package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/otel-culprit/culprit/internal/fit"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// fitReport is what fit prints.
type fitReport struct {
	file          string
	start         rootcause.Params
	result        fit.Result
	before, after []fit.SetScores // of other cases, with the start's numbers and the fitted ones; empty if none were asked for
}

// change is a number before and after the fit.
type change struct {
	Start  float64 `json:"start"`
	Fitted float64 `json:"fitted"`
}

// writeJSON writes the figures as one object:
// {"held_out":{set:{...}},"others":{set:{...}},"weights":{term:{...}},"temperature":{...},"file":...}.
func (r fitReport) writeJSON(w io.Writer) error {
	heldOut, others, weights := map[string]any{}, map[string]any{}, map[string]change{}
	for _, s := range r.result.Sets {
		heldOut[s.Name] = map[string]any{
			"cases": s.Cases, "listed": s.Listed, "groups": s.Groups,
			"start": roundedScores(s.Start), "fitted": roundedScores(s.Fitted), "calibrated": roundedScores(s.Calibrated),
		}
	}
	for i, s := range r.before {
		others[s.Name] = map[string]any{
			"cases": s.Cases, "listed": r.after[i].Listed,
			"start": roundedScores(s.Scores), "calibrated": roundedScores(r.after[i].Scores),
		}
	}
	for _, term := range r.result.Free {
		weights[string(term)] = change{r.start.Weights[term], r.result.Weights[term]}
	}
	out := json.NewEncoder(w)
	out.SetIndent("", " ")
	return out.Encode(map[string]any{
		"held_out": heldOut, "others": others, "weights": weights, "file": r.file,
		"temperature": change{cmp.Or(r.start.Temperature, 1), r.result.Temperature},
	})
}

// writeText writes the figures as tables.
func (r fitReport) writeText(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { _, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) } // Flush tells what went wrong
	scored := func(name string, cases, listed int, numbers string, s fit.Scores) {
		row(name, strconv.Itoa(cases), strconv.Itoa(listed), numbers, short(s.Top1), short(s.LogLoss), short(s.Brier), short(s.ECE))
	}
	head := []string{"cases", "listed", "numbers", "top1", "log loss", "brier", "calibration error"}
	row(append([]string{"held out"}, head...)...)
	for _, s := range r.result.Sets {
		scored(s.Name, s.Cases, s.Listed, "start", s.Start)
		scored(s.Name, s.Cases, s.Listed, "fitted", s.Fitted)
		scored(s.Name, s.Cases, s.Listed, "calibrated", s.Calibrated)
	}
	row()
	if len(r.before) > 0 {
		row(append([]string{"others"}, head...)...)
		for i, s := range r.before {
			scored(s.Name, s.Cases, s.Listed, "start", s.Scores)
			scored(s.Name, s.Cases, r.after[i].Listed, "calibrated", r.after[i].Scores)
		}
		row()
	}
	row("weight", "start", "fitted")
	for _, term := range r.result.Free {
		row(string(term), short(r.start.Weights[term]), short(r.result.Weights[term]))
	}
	row("temperature", short(cmp.Or(r.start.Temperature, 1)), short(r.result.Temperature))
	row()
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range r.result.Sets {
		if s.Listed == 0 {
			if _, err := fmt.Fprintf(w, "The engine lists the cause of no case of %s: there was nothing to fit.\n", s.Name); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintf(w, "The other %d weights keep their start.\nThe parameters are in %s: use them with --params.\n",
		len(r.result.Weights)-len(r.result.Free), r.file)
	return err
}

func roundedScores(s fit.Scores) fit.Scores {
	return fit.Scores{Top1: rounded(s.Top1), LogLoss: rounded(s.LogLoss), Brier: rounded(s.Brier), ECE: rounded(s.ECE)}
}

// rounded is a figure as it is told, so that it is the same on all machines.
func rounded(x float64) float64 { return math.Round(x*1e4) / 1e4 }

func short(x float64) string { return strconv.FormatFloat(x, 'f', 3, 64) }
