package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestConfigurations(t *testing.T) {
	in := ports{prometheus: 1001, telemetry: 1002, otlp: 1003}
	for name, s := range map[string]settings{
		"shipped": {Sink: sinkFull},
		"ebpf-workload": {
			Receiver: receiver{source: sourceEBPF, aggregation: aggregationWorkload}, Sink: sinkRootcause,
		},
		"comparable": {
			Receiver: receiver{source: sourceProcfs, aggregation: aggregationProcess, quiet: true, off: []string{"process.uptime", "system.cpu.time"}},
			Sink:     sinkPrometheus,
		},
		"hostmetrics": {
			Receiver: receiver{hostmetrics: true, on: []string{"process.uptime"}, attributes: []string{"process.cgroup"}}, Sink: sinkPrometheus,
		},
		"check": {Receiver: receiver{source: sourceProcfs}, Sink: sinkOTLP, Endpoint: "http://127.0.0.1:7"},
	} {
		t.Run(name, func(t *testing.T) {
			s.Ports, s.Interval = in, time.Second
			text, err := s.render()
			require.NoError(t, err)
			golden(t, name+".yaml", string(text))
		})
	}
}

func TestDeclaredMetrics(t *testing.T) {
	text := `type: x
attributes:
  process.pid:
    type: int
metrics:
  process.cpu.time:
    enabled: true
    sum:
      value_type: double
  # A comment:
  process.uptime:
telemetry:
  metrics:
    own:
`
	require.Equal(t, []string{"process.cpu.time", "process.uptime"}, declaredMetrics([]byte(text)))
	require.Empty(t, declaredMetrics(nil))
}

func TestOurReceiverHasTheMetricsOfHostmetrics(t *testing.T) {
	text, err := os.ReadFile("../../receiver/procfsreceiver/metadata.yaml")
	require.NoError(t, err)
	require.Subset(t, declaredMetrics(text), hostmetricsDefault, "the comparison switches all others off")
}

func FuzzDeclaredMetrics(f *testing.F) {
	f.Add("metrics:\n  a:\n    enabled: true\ntelemetry:\n  metrics:\n")
	f.Add("metrics:\n  \n   x:\n  :\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, name := range declaredMetrics([]byte(text)) {
			require.Contains(t, text, name+":")
			require.False(t, strings.HasPrefix(name, " "))
		}
	})
}

func TestVersionIn(t *testing.T) {
	for text, want := range map[string]string{
		"otelcol-culprit version 0.1.0":                     "0.1.0",
		"sysstat version 12.6.1\n(C) Sebastien":             "12.6.1",
		" (branch: debian/sid, revision: 0.7.10-3+b5)":      "0.7.10-3+b5",
		"apps.plugin v1.37.1.":                              "1.37.1",
		"no number":                                         "",
		"process-exporter, version 0.8.7 (branch: HEAD, ..": "0.8.7",
	} {
		require.Equal(t, want, versionIn(text), text)
	}
}

func TestComponentVersion(t *testing.T) {
	text := readText("../../builder-config.yaml")
	require.Regexp(t, `^\d+\.\d+\.\d+$`, componentVersion(text, "hostmetricsreceiver"))
	require.Empty(t, componentVersion(text, "nonexistent"))
}

func TestSupportedFlags(t *testing.T) {
	require.Equal(t, []string{"-threads=false"}, supported(leanFlags, "  -threads\n\treport on threads\n"))
	require.Empty(t, supported(leanFlags, ""))
}

func TestOneLineKeepsTheEnd(t *testing.T) {
	require.Equal(t, "a b", oneLine(" a\n\tb "))
	got := oneLine(strings.Repeat("é", 500) + " cause")
	require.True(t, strings.HasPrefix(got, "…é") && strings.HasSuffix(got, "é cause"), got)
}
