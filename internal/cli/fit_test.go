package cli

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otel-culprit/culprit/internal/params"
)

// shops is a folder with one set, in which the job of each case takes the CPU, and
// another that is busy as well a little later. seed makes other readings.
func shops(t *testing.T, seed int, guilty ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	require.NoError(t, os.Mkdir(dir, 0o700))
	var cases strings.Builder
	for i, job := range guilty {
		var csv strings.Builder
		csv.WriteString("t,backup_cpu,batch_cpu,cron_cpu,lat\n")
		for row := range 200 {
			fmt.Fprint(&csv, row)
			for n, name := range []string{"backup", "batch", "cron"} {
				cpu := 10 + (row*7919+seed*31+n)%5
				switch {
				case name == job && row >= 150:
					cpu = 70 + cpu
				case n == i%3 && row >= 170:
					cpu = 30 + cpu
				}
				fmt.Fprintf(&csv, ",%d", cpu)
			}
			latency := 0.1
			if row >= 150 {
				latency = 0.5
			}
			fmt.Fprintf(&csv, ",%g\n", latency+float64((row+seed)%7)/1000)
		}
		var packed bytes.Buffer
		zip := gzip.NewWriter(&packed)
		_, err := zip.Write([]byte(csv.String()))
		require.NoError(t, err)
		require.NoError(t, zip.Close())
		file := fmt.Sprintf("%d.csv.gz", i)
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), packed.Bytes(), 0o600))
		fmt.Fprintf(&cases, `{"id":"case-%d","file":%q,"onset_row":150,"truth":{"entity":%q}}`+"\n", i, file, job)
	}
	for name, text := range map[string]string{
		"cases.jsonl": cases.String(),
		"mapping.yaml": "protocol: rank\nhost: h\nperiod_s: 1\nrank: {before_s: 100, after_s: 50}\nvictim: {service: s, latency: lat}\n" +
			"columns: [{match: '^(.+)_cpu$', to: use.cpu, name: $1, as: rate, scale: 0.01}]\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestFit(t *testing.T) {
	dir, others := shops(t, 1, "backup", "batch", "cron", "batch", "backup", "cron"), shops(t, 2, "cron", "backup")
	file := filepath.Join(t.TempDir(), "fitted.yaml")
	var out, errOut bytes.Buffer
	culprit := func(args ...string) int {
		out.Reset()
		errOut.Reset()
		return run(t.Context(), args, streams{out: &out, err: &errOut})
	}
	require.Equal(t, exitOK, culprit("fit", dir, "--out", file, "--score", others, "--json"), errOut.String())
	require.Contains(t, errOut.String(), "shop: 6 cases of known cause\n")
	type scores struct {
		LogLoss float64 `json:"log_loss"`
		Brier   float64 `json:"brier"`
		Top1    float64 `json:"top1"`
	}
	type set struct {
		Cases, Listed, Groups     int
		Start, Fitted, Calibrated scores
	}
	var figures struct {
		HeldOut map[string]set `json:"held_out"`
		Others  map[string]set
		Weights map[string]change
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &figures))
	shop := figures.HeldOut["shop"]
	require.Equal(t, [3]int{6, 6, 3}, [3]int{shop.Cases, shop.Listed, shop.Groups})
	require.Less(t, shop.Fitted.LogLoss, shop.Start.LogLoss)
	require.Less(t, shop.Calibrated.Brier, shop.Start.Brier)
	require.Equal(t, 2, figures.Others["shop"].Cases)
	require.Less(t, figures.Others["shop"].Calibrated.LogLoss, figures.Others["shop"].Start.LogLoss)
	require.Greater(t, figures.Weights["shift"].Fitted, params.Default().Weights["shift"])

	numbers, provenance, err := params.Open(file)
	require.NoError(t, err)
	require.InDelta(t, figures.Weights["shift"].Fitted, numbers.Weights["shift"], 0)
	require.InDelta(t, params.Default().Weights["slow_disk"], numbers.Weights["slow_disk"], 0)
	require.Contains(t, provenance.How, "fitted on all cases, ridge 0.02 towards numbers that were set by hand")
	require.Contains(t, provenance.How, "5 folds by culprit")
	require.Len(t, provenance.Sets, 1)
	require.Equal(t, 6, provenance.Sets[0].Cases)
	require.InDelta(t, shop.Calibrated.Brier, provenance.Sets[0].Scores["brier"], 0)
	require.InDelta(t, shop.Start.Brier, provenance.Sets[0].Scores["brier_start"], 0)

	first, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, exitOK, culprit("fit", dir, "--out", file, "--force"), errOut.String())
	require.Contains(t, out.String(), "held out")
	require.Contains(t, out.String(), "The parameters are in "+file)
	second, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(first), string(second), "the same cases give the same file")

	require.Equal(t, exitOK, culprit("eval", dir, "--params", file, "--resamples", "50", "--json"), errOut.String())
	var judged struct{ Sets map[string]scores }
	require.NoError(t, json.Unmarshal(out.Bytes(), &judged))
	require.InDelta(t, 1.0, judged.Sets["shop"].Top1, 0)
}

func TestFitRefuses(t *testing.T) {
	dir := shops(t, 1, "backup", "batch")
	copied := filepath.Join(t.TempDir(), "another-name")
	require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
	there := filepath.Join(t.TempDir(), "there.yaml")
	require.NoError(t, os.WriteFile(there, []byte("mine"), 0o600))
	fresh := filepath.Join(t.TempDir(), "new.yaml")
	nobody := shops(t, 1, "nobody")
	for _, tt := range []struct {
		args []string
		exit int
		want string
	}{
		{[]string{"fit"}, exitUsage, "fit needs one folder of labelled incidents"},
		{[]string{"fit", dir, "--folds", "1"}, exitUsage, "--folds is 1: it must be at least 2"},
		{[]string{"fit", dir, "--ridge", "0"}, exitUsage, "--ridge is 0: it must be above 0"},
		{[]string{"fit", dir, "--out", ""}, exitUsage, "--out must name a file"},
		{[]string{"fit", dir, "--out", t.TempDir()}, exitFailed, "is a directory"},
		{[]string{"fit", dir, "--out", filepath.Join(dir, "no", "f.yaml")}, exitFailed, "there is no directory"},
		{[]string{"fit", dir, "--out", there}, exitFailed, "is there already: name another file, or set --force"},
		{[]string{"fit", dir, "--out", fresh, "--hold", "shft"}, exitFailed, `hold names "shft"`},
		{[]string{"fit", dir, "--out", fresh, "--params", there}, exitFailed, "--params: "},
		{[]string{"fit", dir, "--out", fresh, "--score", copied}, exitFailed, "--score: case case-0 of set another-name is fitted on, in set shop: leave it out of one of the folders"},
		{[]string{"fit", nobody, "--out", fresh}, exitFailed, "the engine lists the cause of no case: there is nothing to fit"},
		{[]string{"fit", t.TempDir(), "--out", fresh}, exitFailed, "holds no labelled incidents"},
	} {
		var out, errOut bytes.Buffer
		require.Equal(t, tt.exit, run(t.Context(), tt.args, streams{out: &out, err: &errOut}), tt.args)
		require.Contains(t, errOut.String(), tt.want)
		require.Empty(t, out.String())
		require.NoFileExists(t, fresh)
	}
	kept, err := os.ReadFile(there)
	require.NoError(t, err)
	require.Equal(t, "mine", string(kept))
}

// halve gives the cases of a set to halves in turn, the first to fit.
func halve(t *testing.T, dir string, halves ...string) {
	t.Helper()
	path := filepath.Join(dir, "cases.jsonl")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for i := range lines {
		lines[i] = fmt.Sprintf(`{"half":%q,`, halves[i%len(halves)]) + lines[i][1:]
	}
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600))
}

func TestFitLeavesTheHeldHalf(t *testing.T) {
	culprits := []string{"backup", "batch", "cron", "batch", "backup", "cron"}
	halved, fits := shops(t, 1, culprits...), shops(t, 1, culprits...)
	halve(t, halved, "fit", "held")
	path := filepath.Join(fits, "cases.jsonl")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.NoError(t, os.WriteFile(path, []byte(lines[0]+"\n"+lines[2]+"\n"+lines[4]), 0o600))

	var weights []map[string]change
	for _, dir := range []string{halved, fits} {
		file := filepath.Join(t.TempDir(), "fitted.yaml")
		var out, errOut bytes.Buffer
		require.Equal(t, exitOK, run(t.Context(), []string{"fit", dir, "--out", file, "--json"}, streams{out: &out, err: &errOut}), errOut.String())
		var figures struct {
			HeldOut map[string]struct{ Cases int } `json:"held_out"`
			Others  map[string]struct{ Cases int }
			Weights map[string]change
		}
		require.NoError(t, json.Unmarshal(out.Bytes(), &figures))
		require.Equal(t, 3, figures.HeldOut["shop"].Cases)
		weights = append(weights, figures.Weights)
		if dir == halved {
			require.Equal(t, 3, figures.Others["shop (held)"].Cases)
			_, provenance, err := params.Open(file)
			require.NoError(t, err)
			require.Contains(t, provenance.How, "but for 3 cases of the held half, which were only scored")
		}
	}
	require.Equal(t, weights[1], weights[0], "what is held teaches nothing")

	all := shops(t, 1, "backup", "batch")
	halve(t, all, "held")
	var out, errOut bytes.Buffer
	require.Equal(t, exitFailed, run(t.Context(), []string{"fit", all, "--out", filepath.Join(t.TempDir(), "f.yaml")}, streams{out: &out, err: &errOut}))
	require.Contains(t, errOut.String(), "all 2 cases are held, and may not be fitted: record more seeds")
}
