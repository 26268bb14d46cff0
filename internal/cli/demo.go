package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/otel-culprit/culprit/internal/lab/demo"
	"github.com/otel-culprit/culprit/internal/lab/victim"
	"github.com/otel-culprit/culprit/internal/report"
)

func newDemo(s streams) *cobra.Command {
	var (
		asJSON bool
		opts   demo.Options
	)
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Let a real backup hurt a real web site on this host, and see the verdict",
		Long: "demo starts a small web site on the loopback interface, a load on it and otelcol-culprit.\n" +
			"Act 1: a real backup takes the site's CPU; it is charged, and a remedy that works here is applied.\n" +
			"Act 2: the traffic rises while a harmless backup runs; the backup is cleared.\n" +
			"It needs no root and no network, ends within four minutes and removes what it made.\n" +
			"The exit status is 0 only if both verdicts were right.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.HTML != "" {
				var err error
				if opts.HTML, err = place("html", "the page", opts.HTML); err != nil {
					return err
				}
			}
			if _, err := os.Stat(opts.Journal); opts.Journal != "" && err == nil {
				return usageError{fmt.Errorf("--journal: %s is there already, and the demo would go on in it: remove it, or name another file", opts.Journal)}
			}
			opts.Progress = s.out
			if asJSON {
				opts.Progress = s.err
			}
			opts.Terminal = isTerminal(opts.Progress)
			opts.Report = writeDemoPage
			result, err := demo.Run(cmd.Context(), opts)
			if err != nil {
				return err
			}
			if asJSON {
				if err := json.NewEncoder(s.out).Encode(result); err != nil {
					return err
				}
			}
			if !result.Right() {
				_, _ = fmt.Fprintln(s.err, "culprit: a verdict was wrong")
				return errSaid
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&asJSON, "json", false, "print one JSON object last; what a person reads goes to standard error")
	flags.StringVarP(&opts.HTML, "output", "o", "culprit-demo.html", "where the page with the timeline is written; empty for none")
	flags.StringVar(&opts.Journal, "journal", "", "keep the journal of facts in this file")
	flags.StringVar(&opts.Collector, "otelcol", "", "path of otelcol-culprit (default: beside this program, then PATH)")
	flags.StringVar(&opts.Config, "config", "", "configuration of the collector (default: the one for the demo)")
	flags.Uint64Var(&opts.Seed, "seed", 1, "seed of the load")
	return cmd
}

// writeDemoPage makes the page of a demo's journal, with what the demo did.
func writeDemoPage(ctx context.Context, journal, html string, truth []demo.Truth) error {
	acts := make([]report.Act, 0, len(truth))
	for _, t := range truth {
		acts = append(acts, report.Act{Name: t.Name, Text: t.Text, Start: t.From, End: t.To})
	}
	with, err := newSetup("")
	if err != nil {
		return err
	}
	return writePage(ctx, journals(journal), html, report.Input{Title: "A backup, a surge, and who was to blame", Acts: acts, Engine: with.engine})
}

// newSite is the web site of the demo and the lab, a process of its own so that it can be
// watched and pinned.
func newSite() *cobra.Command {
	cfg := victim.DefaultSite()
	cmd := &cobra.Command{
		Use:    "lab-site",
		Short:  "Run the lab's web site",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return victim.Site(cmd.Context(), cfg) },
	}
	cfg.Flags(cmd.Flags())
	return cmd
}

// newUpstream is the service that the lab's site asks, a process of its own.
func newUpstream() *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use:    "lab-upstream",
		Short:  "Run the service that the lab's web site asks",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE:   func(cmd *cobra.Command, _ []string) error { return victim.Upstream(cmd.Context(), addr) },
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:0", "where to listen")
	return cmd
}

// isTerminal reports whether what is written there is read on a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

// stamp is how a time is written on the terminal.
func stamp(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }
