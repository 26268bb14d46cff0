//go:build e2e

package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
)

const (
	patience = 15 * time.Second // until something must have happened
	pace     = 50 * time.Millisecond
)

// collector is the path of the distribution.
func collector(t *testing.T) string {
	t.Helper()
	path := os.Getenv("CULPRIT_BIN")
	if path == "" {
		path = filepath.Join("..", "..", "bin", "otelcol-culprit")
	}
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	require.FileExists(t, path, "run `make build`, or set CULPRIT_BIN")
	return path
}

var buildServers = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("CULPRIT_SERVERS"); dir != "" {
		return dir, nil
	}
	out, err := exec.Command(filepath.Join("..", "servers", "build.sh"), "alertmanager").Output()
	return strings.TrimSpace(string(out)), err
})

// server is the path of a real server.
func server(t *testing.T, name string) string {
	t.Helper()
	dir, err := buildServers()
	require.NoError(t, err)
	path := filepath.Join(dir, name)
	require.FileExists(t, path, "run `make servers`")
	return path
}

// process is a program that runs during a test.
type process struct {
	cmd  *exec.Cmd
	log  *logBuffer
	done chan struct{}
}

// start runs a program and shows its output if the test fails.
func start(t *testing.T, path string, args ...string) *process {
	t.Helper()
	return run(t, exec.Command(path, args...))
}

// run is start for a command that needs more than arguments.
func run(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, log: &logBuffer{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if p.cmd.SysProcAttr == nil {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	p.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.stop(t)
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(p.cmd.Path), p.log)
		}
	})
	return p
}

// stop ends the program as an operator would, and waits for it.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.done
		t.Errorf("%s did not end within %s", p.cmd.Path, patience)
	}
}

// exit waits until the program ends by itself, and is its exit code.
func (p *process) exit(t *testing.T, patience time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		require.Fail(t, "it runs", "%s did not end within %s", p.cmd.Path, patience)
		return -1
	}
}

// kill ends the program as a crash would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(data)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// address is a free address on the loopback interface. Another program could
// take it before it is used; then the test fails, and says so.
func address(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// eventually waits until the condition holds, or says what was seen last.
func eventually(t *testing.T, what string, condition func() (ok bool, seen any)) {
	t.Helper()
	within(t, patience, what, condition)
}

// within is eventually with a patience of its own.
func within(t *testing.T, patience time.Duration, what string, condition func() (ok bool, seen any)) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		ok, seen := condition()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			require.Fail(t, what, "did not happen within %s; seen: %+v", patience, seen)
		}
		time.Sleep(pace)
	}
}

func get(t *testing.T, url string, out any) error {
	t.Helper()
	body, err := read(t, url)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(body, out)
}

func read(t *testing.T, url string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	require.NoError(t, err)
	return do(request)
}

// do makes a request whose answer must be 200.
func do(request *http.Request) ([]byte, error) {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", response.Status, body)
	}
	return body, nil
}

// alertmanager is a real one, on its own.
type alertmanager struct {
	*process
	url  string
	args []string
}

func startAlertmanager(t *testing.T) *alertmanager {
	t.Helper()
	config := filepath.Join(t.TempDir(), "alertmanager.yml")
	require.NoError(t, os.WriteFile(config, []byte("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"), 0o600))
	listen := address(t)
	a := &alertmanager{url: "http://" + listen, args: []string{
		"--config.file=" + config, "--storage.path=" + t.TempDir(),
		"--web.listen-address=" + listen, "--cluster.listen-address=",
	}}
	a.start(t)
	return a
}

// start runs it, for the first time or again; it keeps no alerts over that.
func (a *alertmanager) start(t *testing.T) {
	t.Helper()
	a.process = start(t, server(t, "alertmanager"), a.args...)
	eventually(t, "Alertmanager is ready", func() (bool, any) {
		err := get(t, a.url+"/-/ready", nil)
		return err == nil, err
	})
}

// gettable is an alert as the API gives it.
type gettable struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	UpdatedAt    time.Time         `json:"updatedAt"`
	GeneratorURL string            `json:"generatorURL"`
}

// active are the alerts that fire; the API leaves out resolved ones.
func (a *alertmanager) active(t *testing.T) []gettable {
	t.Helper()
	var out []gettable
	require.NoError(t, get(t, a.url+"/api/v2/alerts", &out))
	return out
}

// one waits for the only alert, such that the condition holds.
func (a *alertmanager) one(t *testing.T, what string, condition func(gettable) bool) gettable {
	t.Helper()
	var found gettable
	eventually(t, what, func() (bool, any) {
		alerts := a.active(t)
		if len(alerts) != 1 || !condition(alerts[0]) {
			return false, alerts
		}
		found = alerts[0]
		return true, nil
	})
	return found
}

func (a *alertmanager) none(t *testing.T) {
	t.Helper()
	eventually(t, "no alert fires", func() (bool, any) {
		alerts := a.active(t)
		return len(alerts) == 0, alerts
	})
}

// culprit is the collector, with OTLP coming in.
type culprit struct {
	*process
	url string // of OTLP
}

// startCulprit runs the collector with a logs pipeline from OTLP to the
// exporters, given as YAML; extensions may be empty.
func startCulprit(t *testing.T, extensions, exporters string) *culprit {
	t.Helper()
	listen := address(t)
	config := fmt.Sprintf(`
receivers:
  otlp:
    protocols:
      http:
        endpoint: %s
extensions:
  %s
exporters:
  %s
service:
  telemetry:
    metrics: {level: none}
  extensions: [%s]
  pipelines:
    logs:
      receivers: [otlp]
      exporters: [%s]
`, listen, indent(extensions), indent(exporters), names(extensions), names(exporters))
	return takesOTLP(t, listen, start(t, collector(t), "--config", write(t, config)))
}

// write makes a configuration file.
func write(t *testing.T, config string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	return path
}

// takesOTLP waits until a collector that was started is ready.
func takesOTLP(t *testing.T, listen string, p *process) *culprit {
	t.Helper()
	c := &culprit{process: p, url: "http://" + listen}
	eventually(t, "the collector takes OTLP", func() (bool, any) {
		err := c.post(t, plog.NewLogs())
		return err == nil, err
	})
	return c
}

// names lists the components of a YAML fragment.
func names(yaml string) string {
	var out []string
	for line := range strings.Lines(yaml) {
		if !strings.HasPrefix(line, " ") {
			out = append(out, strings.TrimSuffix(strings.TrimSpace(line), ":"))
		}
	}
	return strings.Join(out, ",")
}

func indent(yaml string) string { return strings.ReplaceAll(strings.TrimSpace(yaml), "\n", "\n  ") }

// recorder is an event.
type recorder interface{ Record(plog.LogRecord) }

// tell sends events as the processor makes them.
func (c *culprit) tell(t *testing.T, events ...recorder) {
	t.Helper()
	logs := plog.NewLogs()
	records := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for _, e := range events {
		e.Record(records.AppendEmpty())
	}
	require.NoError(t, c.post(t, logs))
}

func (c *culprit) post(t *testing.T, logs plog.Logs) error {
	t.Helper()
	body, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	require.NoError(t, err)
	return send(t.Context(), c.url+"/v1/logs", body)
}

// send posts a request of OTLP.
func send(ctx context.Context, url string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	_, err = do(request)
	return err
}

// damaged is the event without its onset.
func damaged(e recorder) plog.Logs {
	logs := plog.NewLogs()
	r := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	e.Record(r)
	r.Attributes().Remove("rootcause.onset")
	return logs
}
