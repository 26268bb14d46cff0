package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/otel-culprit/culprit/internal/report"
)

func newReport(s streams) *cobra.Command {
	var (
		output, title string
		path          *string
	)
	cmd := &cobra.Command{
		Use:   "report JOURNAL...",
		Short: "Draw a journal as one HTML page that needs no network",
		Long: "report reads journals of facts in the order given (plain or gzip), replays the engine on them\n" +
			"and writes one HTML page: timeline, verdicts, ranking, evidence and remedies.\n" + rotatedHelp,
		Example: "  culprit report /var/lib/otelcol-culprit/journal.jsonl -o night.html",
		Args:    someJournals,
		RunE: func(cmd *cobra.Command, args []string) error {
			where, err := place("output", "the page", output)
			if err != nil {
				return err
			}
			facts := journals(args...)
			with, err := newSetup(*path)
			if err != nil {
				return err
			}
			if err = writePage(cmd.Context(), facts, where, report.Input{Title: title, Engine: with.engine}); err != nil {
				return err
			}
			facts.warn(s.err, with.params)
			if facts.cut != nil {
				_, _ = fmt.Fprintf(s.err, "culprit: %v; the page shows what was before\n", facts.cut)
			}
			_, err = fmt.Fprintf(s.out, "Read %v.\nThe page is in %s: open it in a browser.\n", facts, where)
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "culprit-report.html", "where the page is written")
	cmd.Flags().StringVar(&title, "title", "", "title of the page")
	path = takeParams(cmd)
	return cmd
}

// writePage makes a page of journals.
func writePage(ctx context.Context, facts *source, output string, in report.Input) error {
	in.Facts = facts.all(ctx)
	return writeFile(output, func(w io.Writer) error { return report.Write(w, in) })
}
