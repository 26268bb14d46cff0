package procfsreceiver

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/pdatatest/pmetrictest"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"
	"go.opentelemetry.io/collector/scraper/scrapererror"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadatatest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fixture is a copy of the host in testdata that a test may change.
func fixture(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "hostfs")
	require.NoError(t, os.CopyFS(root, os.DirFS("testdata/hostfs")))
	return root
}

// testConfig tells all processes of a host, without those sockets of this one
// that no fixture has.
func testConfig(root string) *Config {
	cfg := createDefaultConfig().(*Config)
	cfg.RootPath = root
	cfg.Source = SourceProcfs
	cfg.Aggregation = AggregationProcess
	cfg.Limit = 0
	cfg.Network = false
	return cfg
}

// started is a running scraper, and what it logged.
func started(t *testing.T, cfg *Config) (*procfsScraper, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	set := receivertest.NewNopSettings(metadata.Type)
	set.Logger = zap.New(core)
	s := newScraper(cfg, set)
	require.NoError(t, s.start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, s.shutdown(context.Background())) })
	return s, logs
}

func scraped(t *testing.T, s *procfsScraper) pmetric.Metrics {
	t.Helper()
	md, err := s.scrape(t.Context())
	require.NoError(t, err)
	return md
}

func TestScrapeGolden(t *testing.T) {
	for _, aggregation := range []Aggregation{AggregationProcess, AggregationWorkload} {
		t.Run(string(aggregation), func(t *testing.T) {
			cfg := testConfig(absolute(t, "testdata/hostfs"))
			cfg.CommandLine = CommandLineScrubbed
			cfg.Aggregation = aggregation
			requireGolden(t, "testdata/golden_"+string(aggregation)+".json", cfg)
		})
	}
}

func requireGolden(t *testing.T, file string, cfg *Config) {
	t.Helper()
	s, _ := started(t, cfg)
	got := scraped(t, s)
	if *update {
		writeGolden(t, file, got)
	}
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	want, err := (&pmetric.JSONUnmarshaler{}).UnmarshalMetrics(b)
	require.NoError(t, err)
	require.NoError(t, pmetrictest.CompareMetrics(want, got,
		pmetrictest.IgnoreTimestamp(),
		pmetrictest.IgnoreStartTimestamp(), // of the ledger, which begins with the receiver
		pmetrictest.IgnoreMetricsOrder(),
		pmetrictest.IgnoreMetricDataPointsOrder(),
		pmetrictest.IgnoreMetricValues("process.uptime", "rootcause.host.capability", "system.filesystem.usage"), // of the clock, the user, this host
	))
	require.NotContains(t, string(b), "hunter2")
}

func absolute(t *testing.T, file string) string {
	t.Helper()
	abs, err := filepath.Abs(file)
	require.NoError(t, err)
	return abs
}

func writeGolden(t *testing.T, file string, md pmetric.Metrics) {
	t.Helper()
	for _, m := range metricsOf(md) {
		for _, p := range points(m).All() { // of no use, and new each time
			p.SetTimestamp(0)
			p.SetStartTimestamp(0)
			switch m.Name() {
			case "process.uptime":
				p.SetDoubleValue(0)
			case "system.filesystem.usage":
				p.SetIntValue(0)
			}
		}
	}
	b, err := (&pmetric.JSONMarshaler{}).MarshalMetrics(md)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, json.Indent(&out, b, "", " "))
	require.NoError(t, os.WriteFile(file, append(out.Bytes(), '\n'), 0o600))
}

// metricsOf lists the metrics by name.
func metricsOf(md pmetric.Metrics) map[string]pmetric.Metric {
	out := map[string]pmetric.Metric{}
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				out[m.Name()] = m
			}
		}
	}
	return out
}

func points(m pmetric.Metric) pmetric.NumberDataPointSlice {
	if m.Type() == pmetric.MetricTypeGauge {
		return m.Gauge().DataPoints()
	}
	return m.Sum().DataPoints()
}

func TestScrapeEmitsOneResourceAndEveryMetric(t *testing.T) {
	s, _ := started(t, testConfig(fixture(t)))
	md := scraped(t, s)
	require.Equal(t, 1, md.ResourceMetrics().Len())
	require.Equal(t, map[string]any{"host.name": "web-1", "os.type": "linux"}, md.ResourceMetrics().At(0).Resource().Attributes().AsRaw())

	documented, err := os.ReadFile("documentation.md")
	require.NoError(t, err)
	for name := range metricsOf(md) {
		require.Contains(t, string(documented), "### "+name+"\n")
	}
	absent := 0
	for name := range documentedMetrics(t, string(documented)) {
		if !slices.Contains(notOnThisHost, name) && !strings.HasPrefix(name, "rootcause.workload.") {
			require.Contains(t, metricsOf(md), name)
			continue
		}
		absent++
	}
	require.Len(t, metricsOf(md), reflect.TypeOf(metadata.MetricsInfo).NumField()-absent)
}

// notOnThisHost needs sockets, which a fixture does not have.
var notOnThisHost = []string{
	"process.network.io", "rootcause.network.unattributed.io", "rootcause.backend",
	"rootcause.process.tcp.flight", "rootcause.process.tcp.retransmits", "rootcause.process.tcp.rtt",
}

func documentedMetrics(t *testing.T, text string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for line := range strings.Lines(text) {
		name, ok := strings.CutPrefix(line, "### ")
		if name = strings.TrimSpace(name); ok && strings.Contains(name, ".") {
			names[name] = true
		}
	}
	require.NotEmpty(t, names)
	return names
}

func TestScrapeStartOfCounters(t *testing.T) {
	s, _ := started(t, testConfig(fixture(t)))
	metrics := metricsOf(scraped(t, s))
	boot := time.Unix(1_700_000_000, 0)
	require.Equal(t, boot.UTC(), points(metrics["system.cpu.time"]).At(0).StartTimestamp().AsTime())
	for _, p := range points(metrics["process.cpu.time"]).All() {
		created, ok := p.Attributes().Get("process.creation.time")
		require.True(t, ok)
		require.Equal(t, created.Str(), p.StartTimestamp().AsTime().Format("2006-01-02T15:04:05.000Z"))
	}
}

func TestScrapeArgumentsOnlyIfAskedFor(t *testing.T) {
	for value, want := range map[CommandLine]bool{CommandLineOff: false, CommandLineScrubbed: true} {
		cfg := testConfig(fixture(t))
		cfg.CommandLine = value
		s, _ := started(t, cfg)
		found := false
		for _, p := range points(metricsOf(scraped(t, s))["process.uptime"]).All() {
			args, ok := p.Attributes().Get("process.command_args")
			found = found || ok
			if name, _ := p.Attributes().Get("process.executable.name"); ok && name.Str() == "restic" {
				require.Equal(t, []any{"restic", "-r", "rest:https://me:***@nas/", "--password=***", "backup", "/srv"}, args.Slice().AsRaw())
			}
		}
		require.Equal(t, want, found)
	}
}

func TestScrapeDisabledMetricsAreAbsent(t *testing.T) {
	cfg := testConfig(fixture(t))
	cfg.Metrics.ProcessContextSwitches.Enabled = false
	cfg.Metrics.SystemCPUTime.Enabled = false
	s, _ := started(t, cfg)
	metrics := metricsOf(scraped(t, s))
	require.NotContains(t, metrics, "process.context_switches")
	require.NotContains(t, metrics, "system.cpu.time")
	require.Contains(t, metrics, "process.cpu.time")
	// The CPUs come from the same file and are still known.
	cpus, _ := points(metrics["process.uptime"]).At(0).Attributes().Get("rootcause.process.cpus_allowed")
	require.Equal(t, "0-1", cpus.Str())
}

func TestMissingSourcesAreLoggedOnceAndAbsent(t *testing.T) {
	for _, c := range []struct{ remove, metric, cure string }{
		{"proc/pressure", "rootcause.pressure.stall.time", "psi=1"},
		{"sys", "hw.network.bandwidth.limit", "root_path"},
		{"proc/diskstats", "system.disk.io", "root_path"},
		{"proc/1/net", "system.network.io", "hidepid"},
		{"proc/vmstat", "system.paging.faults", "CONFIG_VM_EVENT_COUNTERS"},
		{"proc/vmstat", "rootcause.paging.io", "CONFIG_VM_EVENT_COUNTERS"},
		{"proc/1/mountinfo", "system.filesystem.usage", "root_path"},
	} {
		t.Run(c.metric, func(t *testing.T) {
			root := fixture(t)
			require.NoError(t, os.RemoveAll(filepath.Join(root, c.remove)))
			s, logs := started(t, testConfig(root))
			for range 2 {
				require.NotContains(t, metricsOf(scraped(t, s)), c.metric)
			}
			found := logs.FilterMessage("A source of metrics is missing on this host").All()
			require.Len(t, found, 1)
			require.Contains(t, found[0].ContextMap()["cure"], c.cure)
			require.Contains(t, found[0].ContextMap()["metrics"], c.metric)
		})
	}
}

func TestWhatIsUnknownOfProcessesIsLoggedWithItsCure(t *testing.T) {
	root := fixture(t)
	require.NoError(t, os.WriteFile(filepath.Join(root, "proc/sys/kernel/task_delayacct"), []byte("0\n"), 0o600))
	for _, pattern := range []string{"proc/*/io", "proc/*/schedstat", "proc/300"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, f := range files {
			require.NoError(t, os.RemoveAll(f))
		}
	}
	s, logs := started(t, testConfig(root))
	var cures []string
	for _, e := range logs.FilterMessage("Something about processes cannot be seen on this host").All() {
		cures = append(cures, e.ContextMap()["cure"].(string))
	}
	require.Len(t, cures, 3)
	require.Contains(t, strings.Join(cures, "\n"), "CONFIG_TASK_IO_ACCOUNTING")
	require.Contains(t, strings.Join(cures, "\n"), "CONFIG_SCHED_INFO")
	require.Contains(t, strings.Join(cures, "\n"), "kernel.task_delayacct=1")

	metrics := metricsOf(scraped(t, s))
	require.NotContains(t, metrics, "process.disk.io")
	require.NotContains(t, metrics, "rootcause.process.wait.time")
	require.Contains(t, metrics, "process.cpu.time")
}

func TestScrapePartialFailure(t *testing.T) {
	root := fixture(t)
	s, _ := started(t, testConfig(root))
	require.NoError(t, os.RemoveAll(filepath.Join(root, "proc/diskstats")))
	md, err := s.scrape(t.Context())
	require.True(t, scrapererror.IsPartialScrapeError(err))
	require.ErrorContains(t, err, "diskstats")
	require.NotContains(t, metricsOf(md), "system.disk.io")
	require.Contains(t, metricsOf(md), "process.cpu.time")
	require.Contains(t, metricsOf(md), "system.network.io")
}

// If processes cannot be listed, so many metrics are missing.
func TestProcessMetricsAreCounted(t *testing.T) {
	documented, err := os.ReadFile("documentation.md")
	require.NoError(t, err)
	n := 0
	for name := range documentedMetrics(t, string(documented)) {
		for _, prefix := range []string{"process.", "rootcause.process.", "rootcause.workload.", "rootcause.backend", "rootcause.network."} {
			if strings.HasPrefix(name, prefix) {
				n++
			}
		}
	}
	require.Equal(t, processMetrics, n)
}

func TestStartWithoutProc(t *testing.T) {
	s := newScraper(testConfig("/nonexistent"), receivertest.NewNopSettings(metadata.Type))
	require.EqualError(t, s.start(t.Context(), componenttest.NewNopHost()), `root_path "/nonexistent": stat /nonexistent/proc: no such file or directory`)
	require.NoError(t, s.shutdown(t.Context()))
	_, err := s.scrape(t.Context())
	require.EqualError(t, err, "the receiver is not running")
}

func TestSelfTelemetry(t *testing.T) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	set := metadatatest.NewSettings(tel)
	s := newScraper(testConfig(fixture(t)), set)
	require.NoError(t, s.start(t.Context(), componenttest.NewNopHost()))
	t.Cleanup(func() { require.NoError(t, s.shutdown(context.Background())) })
	scraped(t, s)

	ignore := []metricdatatest.Option{metricdatatest.IgnoreTimestamp()}
	metadatatest.AssertEqualProcfsProcessesSeen(t, tel, []metricdata.DataPoint[int64]{{Value: 7}}, ignore...)
	metadatatest.AssertEqualProcfsProcessesUnreadable(t, tel, []metricdata.DataPoint[int64]{{Value: 1}}, ignore...)
	metadatatest.AssertEqualProcfsProcessesVanished(t, tel, []metricdata.DataPoint[int64]{{Value: 1}}, ignore...)
	m, err := tel.GetMetric("otelcol_procfs_scan_duration")
	require.NoError(t, err)
	require.Equal(t, "s", m.Unit)
}

func TestScrapeThisHost(t *testing.T) {
	s, _ := started(t, testConfig(""))
	metrics := metricsOf(scraped(t, s))
	require.Positive(t, points(metrics["process.uptime"]).Len())
	require.Equal(t, pcommon.NewTimestampFromTime(s.census.source.Boot()), points(metrics["system.cpu.time"]).At(0).StartTimestamp())
	name, err := os.Hostname()
	require.NoError(t, err)
	require.Equal(t, name, hostRoot("").hostName())
}

// A scrape of this host, told by workload and by process, without the reading.
func BenchmarkTell(b *testing.B) {
	for _, aggregation := range []Aggregation{AggregationWorkload, AggregationProcess} {
		b.Run(string(aggregation), func(b *testing.B) {
			cfg := testConfig("")
			cfg.Aggregation = aggregation
			s := newScraper(cfg, receivertest.NewNopSettings(metadata.Type))
			require.NoError(b, s.start(b.Context(), componenttest.NewNopHost()))
			b.Cleanup(func() { require.NoError(b, s.shutdown(context.Background())) })
			require.NoError(b, s.census.scan())
			at := time.Now()
			b.ReportAllocs()
			for b.Loop() {
				at = at.Add(time.Second)
				s.census.account(at, at)
				s.tell(newRecorder(s.mb, at))
				s.mb.Emit(metadata.WithResource(s.resource))
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(s.census.snap.Processes)), "ns/process")
		})
	}
}

// What a new workload has used it used since the scrape before, to the nanosecond:
// whoever reads the counters takes the first one for growth only then.
func TestWhatIsNewBeganAtTheScrapeBefore(t *testing.T) {
	cfg := testConfig("")
	cfg.Aggregation, cfg.Limit = AggregationWorkload, 200
	cfg.Keep.Names = []string{"sleep"}
	s, _ := started(t, cfg)
	before := points(metricsOf(scraped(t, s))["system.cpu.time"]).At(0).Timestamp()

	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait()
	})
	found := 0
	for range 2 {
		for _, p := range points(metricsOf(scraped(t, s))["rootcause.workload.cpu.time"]).All() {
			if pid, ok := p.Attributes().Get("rootcause.workload.pid"); ok && pid.Int() == int64(cmd.Process.Pid) {
				require.Equal(t, before, p.StartTimestamp())
				found++
			}
		}
	}
	require.Equal(t, 4, found, "user and system time, told twice")
}
