package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/otel-culprit/culprit/internal/report"
	"github.com/otel-culprit/culprit/internal/rootcause"
)

const rotatedHelp = "If one journal is named and was rotated, its older half (JOURNAL.1) is read first."

func newReplay(s streams) *cobra.Command {
	var (
		asJSON bool
		path   *string
	)
	cmd := &cobra.Command{
		Use:   "replay JOURNAL...",
		Short: "Run the engine on a journal and print what it says",
		Long: "replay feeds journals of facts, in the order given, to the engine and prints each window,\n" +
			"episode and verdict. The same journal always gives the same output,\n" +
			"and what the live run said: if that had other parameters, name their file with --params.\n" + rotatedHelp,
		Example: "  culprit replay /var/lib/otelcol-culprit/journal.jsonl --json",
		Args:    someJournals,
		RunE: func(cmd *cobra.Command, args []string) error {
			with, err := newSetup(*path)
			if err != nil {
				return err
			}
			show := say
			if asJSON {
				show = WriteEvent
			}
			facts := journals(args...)
			var said int
			for event, err := range rootcause.Replay(with.engine, facts.all(cmd.Context())) {
				if err != nil {
					return err
				}
				if err := show(s.out, event); err != nil {
					return err
				}
				said++
			}
			facts.warn(s.err, with.params)
			// Standard output is for events alone, so that it can be compared.
			_, err = fmt.Fprintf(s.err, "Read %v, %d events.\n", facts, said)
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line, with all evidence")
	path = takeParams(cmd)
	return cmd
}

// WriteEvent writes an event as one line of JSON.
func WriteEvent(w io.Writer, event rootcause.Event) error {
	var kind string
	switch event.(type) {
	case rootcause.Window:
		kind = "backup_window"
	case rootcause.Episode:
		kind = "episode"
	case rootcause.Verdict:
		kind = "verdict"
	}
	return writeObject(w, kind, event)
}

func writeObject(w io.Writer, kind string, event rootcause.Event) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false) // remedies are commands, to be copied
	return out.Encode(struct {
		Kind  string          `json:"kind"`
		Event rootcause.Event `json:"event"`
	}{kind, event})
}

// say prints an event in one line.
func say(w io.Writer, event rootcause.Event) error {
	var text string
	switch ev := event.(type) {
	case rootcause.Window:
		text = fmt.Sprintf("backup %s: %s, %s", ev.Phase, ev.Window.Tool, rootcause.NameOf(ev.Window.Workload))
	case rootcause.Episode:
		text = fmt.Sprintf("episode %s: %s (%s), latency %s", ev.Phase, ev.Victim.Service, ev.Reason, report.EpisodeLatency(ev))
	case rootcause.Verdict:
		top := ev.Top()
		parts := []string{fmt.Sprintf("verdict %s: %s, %s %.0f %%", ev.Phase, ev.State, describe(top), 100*ev.Probability())}
		if ev.State == rootcause.StateUnknown {
			parts[0] = fmt.Sprintf("verdict %s: no cause stands out", ev.Phase)
		}
		for _, b := range ev.Backups {
			parts = append(parts, fmt.Sprintf("%s %s: %s", rootcause.NameOf(b.Window.Workload), b.Finding, b.Sentence))
		}
		text = strings.Join(parts, "; ")
	}
	_, err := fmt.Fprintf(w, "%s  %s\n", stamp(event.When()), strings.ReplaceAll(text, "\u00a0", " "))
	return err
}

func describe(s rootcause.Suspect) string {
	if s.Cause != rootcause.Contention {
		return string(s.Cause)
	}
	return fmt.Sprintf("%s on %s by %s", s.Cause, s.Resource, rootcause.NameOf(s.Workload))
}
