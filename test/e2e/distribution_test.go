//go:build e2e

package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whoever forgets the logs pipeline learns at once why nothing would be heard.
func TestStartWithoutALogsPipelineIsRefused(t *testing.T) {
	config := fmt.Sprintf(`
receivers:
  otlp:
    protocols:
      http:
        endpoint: %s
processors:
  rootcause:
exporters:
  nop:
service:
  telemetry:
    metrics: {level: none}
  pipelines:
    metrics:
      receivers: [otlp]
      processors: [rootcause]
      exporters: [nop]
    logs:
      receivers: [otlp]
      exporters: [nop]
`, address(t))
	p := start(t, collector(t), "--config", write(t, config))
	require.Equal(t, 1, p.exit(t, patience))
	require.Contains(t, p.log.String(), `Error: cannot start pipelines: failed to start "rootcause" processor: `+
		"it is in no logs pipeline, so its verdicts would go nowhere: "+
		"add it to the processors of the logs pipeline whose exporters are to deliver them")
}

const nobody = 65534

// The configuration that is shipped for a host runs without root, as it stands
// but for its ports.
func TestHostConfigurationRunsWithoutRoot(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer site.Close()
	metrics := address(t)
	host, err := filepath.Abs(filepath.Join("..", "..", "configs", "host.yaml"))
	require.NoError(t, err)
	cmd := exec.Command(collector(t), "--config", host,
		"--set=exporters.prometheus.endpoint="+metrics,
		"--set=receivers.otlp.protocols.http.endpoint="+address(t),
		"--set=receivers.otlp.protocols.grpc.endpoint="+address(t))
	state, err := os.MkdirTemp("", "otelcol-culprit") // t.TempDir lets nobody else in
	require.NoError(t, err)
	defer os.RemoveAll(state)
	cmd.Env = append(os.Environ(), "CULPRIT_URL="+site.URL, "CULPRIT_SERVICE=front", "CULPRIT_STATE="+state)
	if os.Getuid() == 0 {
		require.NoError(t, os.Chown(state, nobody, nobody))
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	p := run(t, cmd)
	eventually(t, "it shows who uses the CPU and how fast the site is", func() (bool, any) {
		all := scrape(t, "http://"+metrics+"/metrics")
		usage := all.all("rootcause_workload_cpu_usage")
		latency, _ := all.one("rootcause_latency_current_seconds", "service_name", "front")
		return len(usage) > 0 && slices.Max(usage) > 0 && latency > 0, all.rootcause()
	})
	if os.Getuid() == 0 {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
		require.NoError(t, err)
		require.Contains(t, string(status), fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", nobody))
	}

	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.Zero(t, p.exit(t, 10*time.Second))
	require.Empty(t, complaints(p.log.String(), "error", "dpanic", "panic", "fatal"))
	for _, line := range complaints(p.log.String(), "warn") {
		require.True(t, slices.ContainsFunc(knownWarnings, func(known string) bool { return strings.Contains(line, known) }), line)
	}
}

// knownWarnings are what may rightly be complained of: what only root may see,
// what the kernel does not have, and a machine that is too busy.
var knownWarnings = []string{
	"Something about processes cannot be seen on this host",
	"A source of metrics is missing on this host",
	"probes left out, because the prober itself could not run in time",
}
