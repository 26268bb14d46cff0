package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/otel-culprit/culprit/internal/journal"
	"github.com/otel-culprit/culprit/internal/report"
)

func newReport(s streams) *cobra.Command {
	var output, title string
	cmd := &cobra.Command{
		Use:   "report JOURNAL...",
		Short: "Draw a journal as one HTML page that needs no network",
		Long: "report reads journals of facts in the order given (plain or gzip), replays the engine on them\n" +
			"and writes one HTML page: timeline, verdicts, ranking, evidence and remedies.",
		Example: "  culprit report /var/lib/otelcol-culprit/journal.jsonl -o night.html",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := writePage(args, output, title, nil); err != nil {
				return err
			}
			_, err := fmt.Fprintln(s.out, output)
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "culprit-report.html", "where the page is written")
	cmd.Flags().StringVar(&title, "title", "", "title of the page")
	return cmd
}

// writePage makes a page of journals. A page is whole or not there: it is
// written beside its place and moved there when it is done.
func writePage(journals []string, output, title string, acts []report.Act) (err error) {
	engine, err := newEngine()
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(output), ".culprit-report-*")
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	err = errors.Join(
		report.Write(tmp, report.Input{Title: title, Engine: engine, Facts: journal.Open(journals...), Acts: acts}),
		tmp.Chmod(0o644),
		tmp.Sync(),
		tmp.Close(),
	)
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), output)
}
