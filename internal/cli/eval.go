package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/evaluate"
	"github.com/otel-culprit/culprit/internal/params"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

func newEval(s streams) *cobra.Command {
	var asJSON bool
	var names []string
	resamples := 2000
	var path *string
	cmd := &cobra.Command{
		Use:   "eval DIR",
		Short: "Judge the engine on folders of labelled incidents",
		Long: "eval turns recorded incidents of known cause into facts, asks the engine about each, and prints\n" +
			"how often it was right, with simpler methods beside it. DIR is a set or holds sets.",
		Example: "  culprit eval ./incidents --set rcd-sockshop --json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("eval needs one folder of labelled incidents")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if resamples < 1 {
				return usageError{errors.New("--resamples must be at least 1")}
			}
			sets, err := evaluate.Open(args[0], names...)
			if err != nil {
				return err
			}
			numbers, _, err := params.Open(*path)
			if err != nil {
				return fmt.Errorf("--params: %w", err)
			}
			catalog, err := files.Default()
			if err != nil {
				return err
			}
			report, err := evaluate.Evaluate(cmd.Context(), sets, evaluate.Options{
				Engine:    func() *rootcause.Engine { return rootcause.New(numbers, catalog) },
				Resamples: resamples,
				Progress: func(set string, done, total int) {
					if done%100 == 0 || done == total {
						_, _ = fmt.Fprintf(s.err, "%s: %d of %d\n", set, done, total)
					}
				},
			})
			if err != nil {
				return err
			}
			if asJSON {
				return report.WriteJSON(s.out)
			}
			return report.WriteText(s.out)
		},
	}
	path = takeParams(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object with all figures")
	cmd.Flags().StringSliceVar(&names, "set", nil, "judge only the set of this name; may be repeated")
	cmd.Flags().IntVar(&resamples, "resamples", resamples, "draws of the bootstrap for each interval")
	return cmd
}
