package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/otelcol/otelcoltest"
	"go.opentelemetry.io/collector/pipeline"
)

// environment is what the shipped configurations ask for.
var environment = map[string]string{
	"CULPRIT_OTLP_PORT": "4318", "CULPRIT_SITE_PORT": "8080", "CULPRIT_FINDINGS_PORT": "4319",
	"CULPRIT_METRICS_PORT": "9464", "CULPRIT_JOURNAL": "journal.jsonl",
	// The lab's.
	"CULPRIT_OTLP": "127.0.0.1:4318", "CULPRIT_FINDINGS": "http://127.0.0.1:4319", "CULPRIT_URL": "http://127.0.0.1:8080/",
	"CULPRIT_HOST": "web1", "CULPRIT_PROCESSES": "[shop]",
}

func TestShippedConfigurationsAreValid(t *testing.T) {
	for key, value := range environment {
		t.Setenv(key, value)
	}
	files, err := filepath.Glob("../../configs/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			factories, err := components()
			require.NoError(t, err)
			_, err = otelcoltest.LoadConfigAndValidate(file, factories)
			require.NoError(t, err)
		})
	}
}

// TestMistakesNameTheKeyAndTheCure changes the host configuration in one place
// and reads what a user would.
func TestMistakesNameTheKeyAndTheCure(t *testing.T) {
	good, err := os.ReadFile("../../configs/host.yaml")
	require.NoError(t, err)
	tests := []struct {
		name, old, new string
		want           []string
	}{
		{"unknown key", "command_line: scrubbed", "comand_line: scrubbed", []string{"comand_line"}},
		{"bad choice", "command_line: scrubbed", "command_line: full", []string{"procfs", "command_line", "scrubbed"}},
		{"no URL", "url: ${env:CULPRIT_URL:-http://127.0.0.1:80/}", `url: ""`, []string{"http_probe", "targets", "url"}},
		{"bad URL", "url: ${env:CULPRIT_URL:-http://127.0.0.1:80/}", "url: 127.0.0.1", []string{"http_probe", "url", "http"}},
		{"no service", "service: ${env:CULPRIT_SERVICE:-web}", `service: ""`, []string{"service"}},
		{"empty services entry", "processes: [nginx, apache2, httpd, caddy]", "processes: []", []string{"rootcause", "services", "processes"}},
		{"no such component", "exporters: [debug]", "exporters: [debg]", []string{"debg"}},
		{"no Alertmanager", "  nop:\n", "  nop:\n  alertmanager_events:\n    endpoints: []\n", []string{"alertmanager_events", "endpoints", "http"}},
		{"no Grafana", "  nop:\n", "  nop:\n  grafana_annotations:\n    endpoint: \"\"\n", []string{"grafana_annotations", "endpoint", "http"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Contains(t, string(good), tt.old)
			file := filepath.Join(t.TempDir(), "config.yaml")
			require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(good), tt.old, tt.new, 1)), 0o600))
			factories, err := components()
			require.NoError(t, err)
			_, err = otelcoltest.LoadConfigAndValidate(file, factories)
			require.Error(t, err)
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}

// TestBuilderVersionsAreThoseOfTheModule holds the builder file against go.mod,
// which decides what is compiled.
func TestBuilderVersionsAreThoseOfTheModule(t *testing.T) {
	manifest, err := os.ReadFile("../../builder-config.yaml")
	require.NoError(t, err)
	entries := regexp.MustCompile(`gomod: (\S+) (\S+)`).FindAllStringSubmatch(string(manifest), -1)
	require.NotEmpty(t, entries)
	for _, entry := range entries {
		path, version := entry[1], entry[2]
		if path == "github.com/otel-culprit/culprit" {
			continue
		}
		cmd := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", path)
		out, err := cmd.Output()
		require.NoError(t, err)
		require.Equal(t, strings.TrimSpace(string(out)), version, "builder-config.yaml and go.mod differ on %s", path)
	}
}

// TestTheHostConfigurationCanPage follows the comments in it that tell how to
// have findings delivered to on-call.
func TestTheHostConfigurationCanPage(t *testing.T) {
	t.Setenv("GRAFANA_TOKEN", "a token")
	shipped, err := os.ReadFile("../../configs/host.yaml")
	require.NoError(t, err)
	uncommented := regexp.MustCompile(`(?m)^  # (alertmanager_events:|  endpoints:|grafana_annotations:|  endpoint:|  token:)`).
		ReplaceAllString(string(shipped), "  $1")
	const (
		before = "      exporters: [debug]\n      # exporters: [debug, alertmanager_events, grafana_annotations] # in place of the line above\n"
		after  = "      exporters: [debug, alertmanager_events, grafana_annotations]\n"
	)
	require.Contains(t, uncommented, before)
	file := filepath.Join(t.TempDir(), "host.yaml")
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(uncommented, before, after, 1)), 0o600))
	factories, err := components()
	require.NoError(t, err)
	cfg, err := otelcoltest.LoadConfigAndValidate(file, factories)
	require.NoError(t, err)
	require.Len(t, cfg.Exporters, 5)
	require.Len(t, cfg.Service.Pipelines[pipeline.NewID(pipeline.SignalLogs)].Exporters, 3)
}
