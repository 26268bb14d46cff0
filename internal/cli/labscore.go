package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/otel-culprit/culprit/internal/labscore"
)

func newLabScore(s streams) *cobra.Command {
	var asJSON, asBench bool
	cmd := &cobra.Command{
		Use:   "score FILE|DIR...",
		Short: "Count how good the verdicts on runs of the lab were",
		Long: "score reads what culprit lab run --json printed, from files or from the *.jsonl files of folders,\n" +
			"and prints its figures scenario by scenario, the guilty and the innocent apart, with 95 % intervals.\n" +
			"Runs whose symptom did not appear (void) are counted, and are in no figure.",
		Example: "  culprit lab score bin/lab/runs.jsonl\n" +
			"  culprit lab score --bench bin/lab/runs.jsonl > new.txt && benchstat old.txt new.txt",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("score needs files that culprit lab run --json wrote, or folders of them")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if asJSON && asBench {
				return usageError{errors.New("--bench and --json are two forms: choose one")}
			}
			runs, err := readRuns(s.err, args)
			switch {
			case err != nil:
				return err
			case asBench:
				return writeBench(s.out, runs)
			case asJSON:
				out := json.NewEncoder(s.out)
				out.SetIndent("", " ")
				report := labscore.Score(runs)
				return out.Encode(struct {
					labscore.Report
					Promises []labscore.Promise `json:"promises"` // over all runs
					Missed   []labscore.Promise `json:"missed"`   // by single scenarios
				}{report, report.Promises(), report.Missed()})
			default:
				return writeScore(s.out, labscore.Score(runs))
			}
		},
	}
	cmd.Flags().BoolVar(&asBench, "bench", false, "print one line a run in Go's benchmark format, for benchstat")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object with all figures")
	return cmd
}

// readRuns reads the runs of files and folders in their order.
func readRuns(warn io.Writer, places []string) ([]labscore.Run, error) {
	var all []labscore.Run
	for _, where := range places {
		files := []string{where}
		if info, err := os.Stat(where); err == nil && info.IsDir() {
			if files, err = runFiles(where); err != nil {
				return nil, err
			}
		}
		for _, file := range files {
			runs, err := readRunFile(warn, file)
			if err != nil {
				return nil, err
			}
			all = append(all, runs...)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: there is no run: culprit lab run --json makes them", strings.Join(places, ", "))
	}
	return all, nil
}

// runFiles are the files of a folder that may hold runs; the list of its
// recordings is none.
func runFiles(dir string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "*.jsonl"))
	if err != nil {
		return nil, err
	}
	var files []string
	for _, file := range found {
		if filepath.Base(file) != "cases.jsonl" {
			files = append(files, file)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no runs: they are in files *.jsonl", dir)
	}
	return files, nil
}

// maxRunLine bounds the line of a run, bytes.
const maxRunLine = 1 << 20

// readRunFile reads a file of one run a line. A line that ends in the middle is of
// a run that was broken off: it is left out.
func readRunFile(warn io.Writer, path string) ([]labscore.Run, error) {
	file, err := os.Open(path) //nolint:gosec // reading the file that the user named is the purpose
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // only read
	var runs []labscore.Run
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxRunLine)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var run labscore.Run
		if err := json.Unmarshal(lines.Bytes(), &run); err != nil {
			_, _ = fmt.Fprintf(warn, "culprit: %s:%d is left out, it is no whole run: %v\n", path, n, err)
			continue
		}
		if err := run.Check(); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		runs = append(runs, run)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return runs, nil
}

func writeScore(w io.Writer, r labscore.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) { _, _ = fmt.Fprintln(t, strings.Join(cells, "\t")) } // Flush tells what went wrong
	table := func(kind string, rows []labscore.Row, all *labscore.Row) {
		if all == nil {
			return
		}
		row(kind, "runs", "void", "top-1", "95 % interval", "abstained", "Brier", "to verdict p50", "p90 s", "p95 ms before", "during", "false blame", "95 % interval")
		for _, x := range append(rows, *all) {
			row(x.Scenario, strconv.Itoa(x.Runs), strconv.Itoa(x.Void), decimals(x.Top1.Value, 2), interval(x.Top1),
				strconv.Itoa(x.Abstained), decimals(x.Brier, 3), decimals(x.VerdictP50, 1), decimals(x.VerdictP90, 1),
				decimals(x.Before, 1), decimals(x.During, 1), decimals(x.FalseBlame.Value, 2), interval(x.FalseBlame))
		}
		row()
	}
	table("guilty", r.Guilty, r.AllGuilty)
	table("innocent", r.Innocent, r.AllInnocent)
	for _, p := range append(r.Promises(), r.Missed()...) {
		bound := "at most " + decimals(p.Most, 2)
		if p.Least > 0 {
			bound = "at least " + decimals(p.Least, 2)
		}
		kept := "missed"
		if p.Kept {
			kept = "kept"
		}
		row(p.What, decimals(p.Value, 3), bound, kept)
	}
	return t.Flush()
}

func interval(s labscore.Share) string {
	if !s.Value.Known() {
		return "-"
	}
	return decimals(s.Low, 2) + " to " + decimals(s.High, 2)
}

// decimals is a figure with so many decimals, or a dash if it is not known.
func decimals(f labscore.Figure, n int) string {
	if !f.Known() {
		return "-"
	}
	return strconv.FormatFloat(float64(f), 'f', n, 64)
}
