package cli

import (
	"cmp"
	"io"
	"runtime"

	"golang.org/x/perf/benchfmt"

	"github.com/otel-culprit/culprit/internal/labscore"
)

// benchUnits are the units of a run's line, with the direction that is better.
var benchUnits = [][2]string{
	{"top1", "higher"},
	{"false-blame", "lower"},
	{"brier", "lower"},
	{"s-to-verdict", "lower"},
	{"p95-before-ms", ""},
	{"p95-during-ms", ""},
}

// writeBench writes a line for each run that counts, in the format that benchstat
// reads: the runs of a scenario are its repetitions. What is not known is left out.
func writeBench(w io.Writer, runs []labscore.Run) error {
	out := benchfmt.NewWriter(w)
	for _, unit := range benchUnits {
		if unit[1] == "" {
			continue
		}
		better := benchfmt.UnitMetadata{UnitMetadataKey: benchfmt.UnitMetadataKey{Unit: unit[0], Key: "better"}, OrigUnit: unit[0], Value: unit[1]}
		if err := out.Write(&better); err != nil {
			return err
		}
	}
	config := []benchfmt.Config{
		{Key: "goos", Value: []byte(runtime.GOOS), File: true},
		{Key: "goarch", Value: []byte(runtime.GOARCH), File: true},
		{Key: "pkg", Value: []byte("github.com/otel-culprit/culprit/lab"), File: true},
	}
	for _, run := range runs {
		if run.Void {
			continue
		}
		result := benchfmt.Result{Config: config, Name: benchfmt.Name("Lab/scenario=" + run.Scenario), Iters: 1, Values: benchValues(run)}
		if err := out.Write(&result); err != nil {
			return err
		}
	}
	return nil
}

func benchValues(run labscore.Run) []benchfmt.Value {
	report := labscore.Score([]labscore.Run{run})
	row := *cmp.Or(report.AllGuilty, report.AllInnocent)
	figures := []labscore.Figure{row.Top1.Value, row.FalseBlame.Value, row.Brier, row.VerdictP50, row.Before, row.During}
	var values []benchfmt.Value
	for i, f := range figures {
		if f.Known() {
			values = append(values, benchfmt.Value{Value: rounded(float64(f)), Unit: benchUnits[i][0]})
		}
	}
	return values
}
