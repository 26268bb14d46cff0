//go:build e2e

package monitoring_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const patience = 20 * time.Second

// server is the path of a real server: of the folder CULPRIT_SERVERS, by
// default what test/servers/build.sh prints.
func server(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("CULPRIT_SERVERS")
	if dir == "" {
		out, err := exec.CommandContext(t.Context(), filepath.Join(root, "test/servers/build.sh"), name).Output()
		require.NoError(t, err)
		dir = strings.TrimSpace(string(out))
	}
	path := filepath.Join(dir, name)
	require.FileExists(t, path, "run `make servers`")
	return path
}

func TestAlertRules(t *testing.T) {
	promtool := server(t, "promtool")
	for _, args := range [][]string{
		{"check", "rules", "--lint=all", "--lint-fatal", "culprit.rules.yaml"},
		{"test", "rules", "culprit_test.yaml"},
	} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = filepath.Join(root, "alerts")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "promtool %s\n%s", strings.Join(args, " "), out)
	}
}

// TestEveryQueryReturnsData runs what the dashboard asks against a Prometheus
// that scrapes what the collector shows during a demo: testdata/demo.prom, or
// the file or URL in CULPRIT_EXPOSITION.
func TestEveryQueryReturnsData(t *testing.T) {
	prometheus := startPrometheus(t, exposition(t))
	panels, variables := queries(t)
	for _, expr := range panels {
		chosen := strings.NewReplacer("$service", ".+", "$host", ".+", "$__rate_interval", "10s").Replace(expr)
		require.NotContains(t, chosen, "$", expr)
		eventually(t, expr, func() bool {
			now := time.Now()
			return prometheus.results(t, "query_range", url.Values{
				"query": {chosen}, "step": {"1"},
				"start": {strconv.FormatInt(now.Add(-30*time.Second).Unix(), 10)}, "end": {strconv.FormatInt(now.Unix(), 10)},
			}) > 0
		})
	}
	for _, v := range variables {
		match := labelQuery.FindStringSubmatch(v)
		require.NotNil(t, match, v)
		require.Positive(t, prometheus.results(t, "label/"+match[2]+"/values", url.Values{"match[]": {match[1]}}), v)
	}
}

// exposition serves the metrics of a demo, with counters that go on counting.
func exposition(t *testing.T) (target string) {
	t.Helper()
	source := os.Getenv("CULPRIT_EXPOSITION")
	if strings.HasPrefix(source, "http") {
		u, err := url.Parse(source)
		require.NoError(t, err)
		return u.Host
	}
	if source == "" {
		source = filepath.Join("testdata", "demo.prom")
	}
	content, err := os.ReadFile(source)
	require.NoError(t, err)
	var scrapes atomic.Int64
	counter := regexp.MustCompile(`(?m)^(\w+_total\{.*\}) (\S+)$`)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := scrapes.Add(1)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprint(w, counter.ReplaceAllStringFunc(string(content), func(line string) string {
			match := counter.FindStringSubmatch(line)
			value, err := strconv.ParseFloat(match[2], 64)
			if err != nil {
				return line
			}
			return fmt.Sprintf("%s %g", match[1], value+0.1*float64(n))
		}))
	}))
	t.Cleanup(site.Close)
	return site.Listener.Addr().String()
}

type prometheusServer struct{ base string }

func startPrometheus(t *testing.T, target string) prometheusServer {
	t.Helper()
	dir := t.TempDir()
	rulesFile, err := filepath.Abs(filepath.Join(root, "alerts/culprit.rules.yaml"))
	require.NoError(t, err)
	config := filepath.Join(dir, "prometheus.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: culprit
    static_configs: [{targets: [%q]}]
`, rulesFile, target), 0o600))

	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())

	log, err := os.Create(filepath.Join(dir, "log"))
	require.NoError(t, err)
	cmd := exec.Command(server(t, "prometheus"), "--config.file="+config, "--web.listen-address="+address, "--storage.tsdb.path="+filepath.Join(dir, "data"))
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if content, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("prometheus:\n%s", content)
		}
		_ = log.Close()
	})
	p := prometheusServer{base: "http://" + address}
	eventually(t, "the first scrapes", func() bool {
		return p.results(t, "query", url.Values{"query": {`count_over_time(up{job="culprit"}[1m]) > 3`}}) > 0
	})
	return p
}

// results is how many series or values an API call returns, 0 while the server
// is not there.
func (p prometheusServer) results(t *testing.T, call string, values url.Values) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/api/v1/"+call+"?"+values.Encode(), nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	if response.StatusCode == http.StatusServiceUnavailable {
		return 0
	}
	require.Equal(t, http.StatusOK, response.StatusCode, "%s: %s", values, body)
	var answer struct {
		Data json.RawMessage
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	var list []json.RawMessage
	if json.Unmarshal(answer.Data, &list) == nil {
		return len(list)
	}
	var data struct{ Result []json.RawMessage }
	require.NoError(t, json.Unmarshal(answer.Data, &data))
	return len(data.Result)
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if condition() {
			return
		}
	}
	require.Fail(t, "did not happen within "+patience.String(), what)
}
