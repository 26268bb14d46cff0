package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
			where, err := place(output)
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

// place is the absolute path of a page that can be written there, as far as can
// be seen beforehand: it is better to know before the work is done.
func place(output string) (string, error) {
	if output == "" {
		return "", usageError{errors.New("--output must name a file, such as night.html")}
	}
	where, err := filepath.Abs(output)
	if err != nil {
		return "", fmt.Errorf("the page cannot be written to %s: %w", output, err)
	}
	dir := filepath.Dir(where)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", fmt.Errorf("the page cannot be written to %s: there is no directory %s", where, dir)
	}
	if info, err := os.Stat(where); err == nil && info.IsDir() {
		return "", fmt.Errorf("the page cannot be written to %s: it is a directory, name a file in it", where)
	}
	return where, nil
}

// writePage makes a page of journals. A page is whole or not there: it is
// written beside its place and moved there when it is done.
func writePage(ctx context.Context, facts *source, output string, in report.Input) (err error) {
	in.Facts = facts.all(ctx)
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
		report.Write(tmp, in),
		tmp.Chmod(0o644),
		tmp.Sync(),
		tmp.Close(),
	)
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), output)
}
