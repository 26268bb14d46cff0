package main

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares with a file, or writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestTable(t *testing.T) {
	all := []subject{
		{name: "culprit-ebpf-workload", version: "0.1.0", metrics: "workloads → rootcause, prometheus"},
		{name: "pidstat", metrics: "a | b → pipe", skipped: "pidstat is not\ninstalled"},
		{name: "hostmetrics-default", version: "0.158.0", metrics: "each process → prometheus", skipped: "failed: it ended"},
	}
	figures := []figure{
		{Collector: "culprit-ebpf-workload", Procs: 0, Whole: 12, WholeMin: 11.04, WholeMax: 13, Scrape: 1000, Scrapes: 60},
		{Collector: "culprit-ebpf-workload", Procs: 2000, Whole: 0.412, WholeMin: 0.4, WholeMax: 0.45, Marginal: new(0.31), Scrape: 860, RSS: 48.2, RSSMax: 52, Scrapes: 60, Expected: 60},
		{Collector: "hostmetrics-default", Procs: 500, Whole: 283.4, WholeMin: 260, WholeMax: 301, Scrape: 170000, RSS: 182, RSSMax: 192, Scrapes: 17, Expected: 20},
	}
	host := machine{cpu: "Some CPU @ 3 GHz", cores: 2, kernel: "6.18.0", golang: "go1.26.0", date: "21 November 2026", others: 0.05}
	golden(t, "table.md", table(figures, all)+facts(host, []string{"-procs", "500,2000", "-only", "culprit|it's"}))
}

func TestReplaceGenerated(t *testing.T) {
	file := filepath.Join(t.TempDir(), "page.md")
	before, after := "# Title\n\nText.\n\n"+markerBegin+"\n", markerEnd+"\n\nMore.\n"
	require.NoError(t, os.WriteFile(file, []byte(before+"old\n"+after), 0o600))
	for range 2 { // again gives the same
		require.NoError(t, replaceGenerated(file, "new\n"))
		got, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, before+"new\n"+after, string(got))
	}
	left, err := os.ReadDir(filepath.Dir(file))
	require.NoError(t, err)
	require.Len(t, left, 1, "no temporary file is left")
}

func TestAPageWithoutMarkersIsLeftAlone(t *testing.T) {
	for name, text := range map[string]string{
		"none":     "# Title\n",
		"no end":   markerBegin + "\nold\n",
		"reversed": markerEnd + "\n" + markerBegin + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "page.md")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			require.ErrorContains(t, replaceGenerated(file, "new\n"), "markers")
			got, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, text, string(got))
		})
	}
}

func TestTheProjectsPageHasTheMarkers(t *testing.T) {
	text, err := os.ReadFile("../../docs/benchmarks.md")
	require.NoError(t, err)
	_, err = replaceBetween(text, "x")
	require.NoError(t, err)
}

func TestCPUModel(t *testing.T) {
	require.Equal(t, "Intel(R) Xeon(R) CPU", cpuModel("processor\t: 0\nmodel name\t: Intel(R)  Xeon(R) CPU\n\nmodel name\t: Other\n"))
	require.Equal(t, "unknown CPU", cpuModel("CPU implementer\t: 0x41\n"))
}
