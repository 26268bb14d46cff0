package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/evaluate"
	"github.com/otel-culprit/culprit/internal/fit"
	"github.com/otel-culprit/culprit/internal/params"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

// fitting is what was asked of fit.
type fitting struct {
	fit.Options
	dir, score string // folders of labelled incidents; score may be empty
	names      []string
	start      string // file of parameters; empty for the shipped ones
	out        string
	force      bool
	asJSON     bool
	held       int // cases that may not be learned from
}

func newFit(s streams) *cobra.Command {
	var path *string
	q := fitting{Options: fit.Options{Folds: 5, Ridge: 0.02}}
	cmd := &cobra.Command{
		Use:   "fit DIR",
		Short: "Fit the engine's weights on folders of labelled incidents",
		Long: "fit asks the engine about recorded incidents of known cause, finds the weights and the temperature\n" +
			"that would have answered best, and writes a file for --params. The scores that it prints are of cases\n" +
			"that were held out: the incidents of one culprit are never fitted and scored at once.\n" +
			"Of recordings that have halves, those that are held are never fitted, only scored.\n" +
			"What the incidents cannot teach keeps its start. top1 is of all suspects here, \"unknown\" among them;\n" +
			"what a set's own question is, and how much better it is answered, tells culprit eval --params.",
		Example: "  culprit fit ./incidents --out fitted.yaml\n  culprit eval ./others --params fitted.yaml",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("fit needs one folder of labelled incidents")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := q.Check(); err != nil {
				return usageError{fmt.Errorf("--%w", err)}
			}
			q.dir, q.start = args[0], *path
			return q.run(cmd.Context(), s)
		},
	}
	path = takeParams(cmd)
	flags := cmd.Flags()
	flags.StringVarP(&q.out, "out", "o", "params.yaml", "where the parameters are written")
	flags.BoolVar(&q.force, "force", false, "write them even if the file is there already")
	flags.StringSliceVar(&q.names, "set", nil, "fit only on the set of this name; may be repeated")
	flags.IntVar(&q.Folds, "folds", q.Folds, "parts of the cross-validation")
	flags.Float64Var(&q.Ridge, "ridge", q.Ridge, "how dear it is to leave the start's weights")
	flags.StringSliceVar(&q.Hold, "hold", nil, "weight that keeps its start; prior for all priors; may be repeated")
	flags.StringVar(&q.score, "score", "", "folder of other labelled incidents to judge the fitted engine on")
	flags.BoolVar(&q.asJSON, "json", false, "print one JSON object with all figures")
	return cmd
}

func (q fitting) run(ctx context.Context, s streams) error {
	where, err := place("out", "the parameters", q.out)
	if err != nil {
		return err
	}
	if _, err = os.Stat(where); err == nil && !q.force {
		return fmt.Errorf("--out: %s is there already: name another file, or set --force", where)
	}
	start, startProvenance, err := params.Open(q.start)
	if err != nil {
		return fmt.Errorf("--params: %w", err)
	}
	asked, err := ask(ctx, s.err, start, q.dir, q.names...)
	if err != nil {
		return err
	}
	learned, held := asked.halves()
	q.held = len(held.cases)
	var others answers
	if q.score != "" {
		if others, err = ask(ctx, s.err, start, q.score); err != nil {
			return fmt.Errorf("--score: %w", err)
		}
		if err = apart(learned, others); err != nil {
			return fmt.Errorf("--score: %w", err)
		}
	}
	if len(learned.cases) == 0 && len(held.cases) > 0 {
		return fmt.Errorf("%s: all %d cases are held, and may not be fitted: record more seeds", q.dir, len(held.cases))
	}
	_, _ = fmt.Fprintf(s.err, "fitting on %d cases\n", len(learned.cases))
	result, err := fit.Fit(start, learned.cases, q.Options)
	if err != nil {
		return err
	}
	fitted := start
	fitted.Weights, fitted.Temperature = result.Weights, result.Temperature
	r := fitReport{file: where, start: start, result: result}
	if r.before, r.after, err = q.scoreAgain(ctx, s.err, fitted, unlearned{held, others}); err != nil {
		return err
	}
	err = writeFile(where, func(w io.Writer) error { return params.Write(w, fitted, q.provenance(result, startProvenance)) })
	if err != nil {
		return err
	}
	if q.asJSON {
		return r.writeJSON(s.out)
	}
	return r.writeText(s.out)
}

// unlearned are the answers that nothing was learned from: of the half that may not
// be, and of the folder of others.
type unlearned struct {
	held, others answers
}

// scoreAgain asks the fitted engine about what it did not learn from, and scores it
// beside what was answered before.
func (q fitting) scoreAgain(ctx context.Context, progress io.Writer, fitted rootcause.Params, then unlearned) (before, after []fit.SetScores, err error) {
	if len(then.held.cases) > 0 {
		asked, err := ask(ctx, progress, fitted, q.dir, q.names...)
		if err != nil {
			return nil, nil, err
		}
		_, again := asked.halves()
		before, after = fit.Judge(then.held.cases), fit.Judge(again.cases)
	}
	if q.score != "" {
		again, err := ask(ctx, progress, fitted, q.score)
		if err != nil {
			return nil, nil, fmt.Errorf("--score: %w", err)
		}
		before, after = append(before, fit.Judge(then.others.cases)...), append(after, fit.Judge(again.cases)...)
	}
	return before, after, nil
}

// answers are what an engine said of a folder, and which recordings that was.
type answers struct {
	cases []fit.Case
	paths []string // by case
	held  []bool   // by case: it is of the half that is never learned from
}

// heldSuffix is of the name of a set's half that was not learned from.
const heldSuffix = " (held)"

// halves takes apart what may be learned from and what may not.
func (a answers) halves() (fits, held answers) {
	for i, c := range a.cases {
		half := &fits
		if a.held[i] {
			half = &held
			c.Set += heldSuffix
		}
		half.cases, half.paths, half.held = append(half.cases, c), append(half.paths, a.paths[i]), append(half.held, a.held[i])
	}
	return fits, held
}

// ask asks an engine with some numbers about the cases of a folder.
func ask(ctx context.Context, progress io.Writer, numbers rootcause.Params, dir string, names ...string) (answers, error) {
	sets, err := evaluate.Open(dir, names...)
	if err != nil {
		return answers{}, err
	}
	catalog, err := files.Default()
	if err != nil {
		return answers{}, err
	}
	var a answers
	for _, set := range sets {
		before := len(a.cases)
		for j, err := range set.Cases(ctx, func() *rootcause.Engine { return rootcause.New(numbers, catalog) }) {
			if err != nil {
				return answers{}, fmt.Errorf("set %s: %w", set.Name, err)
			}
			c := fit.Case{Set: j.Set, ID: j.ID, Group: j.Group, Suspects: j.Verdict.Suspects}
			for _, suspect := range c.Suspects {
				c.Right = append(c.Right, j.Right(suspect))
			}
			a.cases, a.paths, a.held = append(a.cases, c), append(a.paths, j.Path), append(a.held, j.Half == evaluate.HalfHeld)
		}
		_, _ = fmt.Fprintf(progress, "%s: %d cases of known cause\n", set.Name, len(a.cases)-before)
	}
	return a, nil
}

// apart refuses others that hold a case which was learned from, also in a set of
// another name.
func apart(learned, others answers) error {
	type identity struct{ id, content string }
	contents := map[string]string{} // by path
	of := func(a answers, i int) (identity, error) {
		path := a.paths[i]
		if contents[path] == "" {
			file, err := os.Open(path) //nolint:gosec // reading the folder that the user named is the purpose
			if err != nil {
				return identity{}, err
			}
			defer func() { _ = file.Close() }() // only read
			sum := sha256.New()
			if _, err = io.Copy(sum, file); err != nil {
				return identity{}, err
			}
			contents[path] = string(sum.Sum(nil))
		}
		return identity{a.cases[i].ID, contents[path]}, nil
	}
	sets := map[identity]string{}
	for i, c := range learned.cases {
		key, err := of(learned, i)
		if err != nil {
			return err
		}
		sets[key] = c.Set
	}
	for i, c := range others.cases {
		key, err := of(others, i)
		if err != nil {
			return err
		}
		if set, same := sets[key]; same {
			return fmt.Errorf("case %s of set %s is fitted on, in set %s: leave it out of one of the folders", c.ID, c.Set, set)
		}
	}
	return nil
}

// provenance says what the fitted numbers rest on.
func (q fitting) provenance(r fit.Result, start params.Provenance) params.Provenance {
	how := fmt.Sprintf("fitted on all cases, ridge %v towards numbers that were %s; the scores are of cases held out, %d folds by culprit, temperature included",
		q.Ridge, cmp.Or(start.How, "of unknown origin"), q.Folds)
	if q.held > 0 {
		how += fmt.Sprintf("; but for %d cases of the held half, which were only scored", q.held)
	}
	if len(q.Hold) > 0 {
		how += "; held: " + strings.Join(q.Hold, ", ")
	}
	p := params.Provenance{How: how, Date: time.Now().UTC().Format(time.DateOnly)}
	for _, set := range r.Sets {
		p.Sets = append(p.Sets, params.Set{Name: set.Name, Cases: set.Cases, Scores: map[string]float64{
			"cases_listed": float64(set.Listed),
			"top1":         rounded(set.Calibrated.Top1), "top1_start": rounded(set.Start.Top1),
			"log_loss": rounded(set.Calibrated.LogLoss), "log_loss_start": rounded(set.Start.LogLoss),
			"brier": rounded(set.Calibrated.Brier), "brier_start": rounded(set.Start.Brier),
			"calibration_error": rounded(set.Calibrated.ECE), "calibration_error_start": rounded(set.Start.ECE),
		}})
	}
	return p
}
