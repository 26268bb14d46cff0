//go:build e2e

// Package distribution builds a collector as somebody else would: from a clean
// folder, with a builder file of his own that takes our components as modules.
package distribution

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const manifest = `
dist:
  name: otelcol-theirs
  module: example.com/theirs/otelcol
  output_path: %[1]s/out
replaces:
  - github.com/otel-culprit/culprit => %[2]s
receivers:
  - gomod: github.com/otel-culprit/culprit v0.1.0
    import: github.com/otel-culprit/culprit/receiver/procfsreceiver
  - gomod: github.com/otel-culprit/culprit v0.1.0
    import: github.com/otel-culprit/culprit/receiver/httpprobereceiver
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v0.158.0
processors:
  - gomod: github.com/otel-culprit/culprit v0.1.0
    import: github.com/otel-culprit/culprit/processor/rootcauseprocessor
exporters:
  - gomod: github.com/otel-culprit/culprit v0.1.0
    import: github.com/otel-culprit/culprit/exporter/alertmanagerexporter
  - gomod: github.com/otel-culprit/culprit v0.1.0
    import: github.com/otel-culprit/culprit/exporter/grafanaexporter
  - gomod: go.opentelemetry.io/collector/exporter/debugexporter v0.158.0
extensions:
  - gomod: github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension v0.158.0
`

const config = `
extensions:
  health_check: {endpoint: "%s"}
receivers:
  procfs:
  otlp: {protocols: {http: {endpoint: "127.0.0.1:0"}}}
processors:
  rootcause:
exporters:
  debug:
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [procfs], processors: [rootcause], exporters: [debug]}
    logs: {receivers: [otlp], processors: [rootcause], exporters: [debug]}
`

func TestSomebodyElsesCollectorBuildsAndStarts(t *testing.T) {
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	dir := t.TempDir()
	file := filepath.Join(dir, "builder.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, manifest, dir, root), 0o600))

	build := exec.CommandContext(t.Context(), "go", "tool", "-modfile=tools.mod", "builder", "--config", file)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))

	address := freeAddress(t)
	conf := filepath.Join(dir, "config.yaml")
	require.NoError(t, os.WriteFile(conf, fmt.Appendf(nil, config, address), 0o600))
	ctx, cancel := context.WithCancel(t.Context())
	collector := exec.CommandContext(ctx, filepath.Join(dir, "out", "otelcol-theirs"), "--config", conf)
	collector.Stderr = os.Stderr
	require.NoError(t, collector.Start())
	t.Cleanup(func() {
		cancel()
		_ = collector.Wait() // it was killed
	})
	require.Eventually(t, func() bool {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address, http.NoBody)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode == http.StatusOK
	}, 30*time.Second, 200*time.Millisecond)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
