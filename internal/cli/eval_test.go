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
)

// incidents is a folder with one set of one case, in which a job takes the CPU.
func incidents(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	require.NoError(t, os.Mkdir(dir, 0o700))
	var csv strings.Builder
	csv.WriteString("t,job_cpu,lat\n")
	for row := range 200 {
		cpu, latency := 1+row%3, 0.1
		if row >= 150 {
			cpu, latency = 90, 0.5
		}
		fmt.Fprintf(&csv, "%d,%d,%g\n", row, cpu, latency)
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	_, err := zip.Write([]byte(csv.String()))
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	for name, text := range map[string]string{
		"one.csv.gz":  packed.String(),
		"cases.jsonl": `{"id":"one","file":"one.csv.gz","onset_row":150,"truth":{"entity":"job"}}`,
		"mapping.yaml": "protocol: rank\nhost: h\nperiod_s: 1\nrank: {before_s: 100, after_s: 50}\nvictim: {service: s, latency: lat}\n" +
			"columns: [{match: '^(.+)_cpu$', to: use.cpu, name: $1, as: rate, scale: 0.01}]\n",
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

func TestEval(t *testing.T) {
	dir := incidents(t)
	var out, errOut bytes.Buffer
	require.Equal(t, exitOK, run(t.Context(), []string{"eval", dir, "--json", "--resamples", "50"}, streams{out: &out, err: &errOut}))
	var figures struct {
		Sets map[string]struct {
			Top1 float64    `json:"top1"`
			CI   [2]float64 `json:"top1_ci"`
		} `json:"sets"`
		Baselines map[string]map[string]map[string]any `json:"baselines"`
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &figures))
	require.InDelta(t, 1.0, figures.Sets["shop"].Top1, 0)
	require.Equal(t, [2]float64{1, 1}, figures.Sets["shop"].CI)
	require.Contains(t, figures.Baselines["shop"], "baro")
	require.Equal(t, "shop: 1 of 1\n", errOut.String())

	out.Reset()
	require.Equal(t, exitOK, run(t.Context(), []string{"eval", filepath.Dir(dir), "--set", "shop"}, streams{out: &out, err: &errOut}))
	require.Contains(t, out.String(), "top1")

	for _, tt := range []struct {
		args []string
		exit int
		want string
	}{
		{[]string{"eval"}, exitUsage, "eval needs one folder of labelled incidents"},
		{[]string{"eval", dir, "--resamples", "0"}, exitUsage, "--resamples must be at least 1"},
		{[]string{"eval", t.TempDir()}, exitFailed, "holds no labelled incidents"},
	} {
		errOut.Reset()
		require.Equal(t, tt.exit, run(t.Context(), tt.args, streams{out: &out, err: &errOut}))
		require.Contains(t, errOut.String(), tt.want)
	}
}
