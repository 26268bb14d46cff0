package main

import (
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseOptions(t *testing.T) {
	o, err := parseOptions([]string{"-procs", "2000, 500,500", "-duration", "30s", "-rounds", "2", "-only", "^hostmetrics"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, []int{0, 500, 2000}, o.populations())
	require.Equal(t, 15*time.Second, o.window())
	require.True(t, o.only.MatchString("hostmetrics-default"))
	require.False(t, o.only.MatchString("pidstat"))
	require.Equal(t, []string{"procfs", "ebpf"}, o.checks.sources)

	o.floor = false
	require.Equal(t, []int{500, 2000}, o.populations())
}

func TestParseOptionsNamesTheFlag(t *testing.T) {
	for args, want := range map[string]string{
		"-procs x":                          "-procs",
		"-procs -1":                         "-procs",
		"-only (":                           "-only",
		"-check disk":                       "-check",
		"-jobs 0":                           "-jobs",
		"-rounds 0":                         "-rounds",
		"-interval 0s":                      "-interval",
		"-duration 2s -rounds 3":            "-duration",
		"-check shortlived -rate 0":         "-rate",
		"-check network -linger -1s":        "-linger",
		"leftover":                          "leftover",
		"-check network -bytes 0":           "-bytes",
		"-check shortlived -seconds -1s":    "-seconds",
		"-duration 10s -warmup -1s":         "-warmup",
		"-nonsense":                         "nonsense",
		"-scrape 0s -procs 1 -duration 60s": "-scrape",
	} {
		_, err := parseOptions(strings.Fields(args), io.Discard)
		require.ErrorContains(t, err, want, args)
	}
}

func TestHelpNamesEveryFlagAndTheChecks(t *testing.T) {
	var out strings.Builder
	_, err := parseOptions([]string{"-help"}, &out)
	require.ErrorIs(t, err, flag.ErrHelp)
	for _, want := range []string{"-procs", "-markdown", "-only", "-jobs", "-check shortlived", "-check network", "apt-get"} {
		require.Contains(t, out.String(), want)
	}
}
