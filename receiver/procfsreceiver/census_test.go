package procfsreceiver

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otel-culprit/culprit/internal/process"
	"github.com/otel-culprit/culprit/internal/workload"
	"github.com/otel-culprit/culprit/receiver/procfsreceiver/internal/metadata"
)

// A root that is not this host's has no kernel to ask.
func TestAutoFallsBackAndSaysWhy(t *testing.T) {
	cfg := testConfig(fixture(t))
	cfg.Source = SourceAuto
	s, logs := started(t, cfg)
	require.Equal(t, metadata.AttributeSourceProcfs, s.census.name)
	said := logs.FilterMessageSnippet("Processes are read from the proc file system").All()
	require.Len(t, said, 1)
	require.NotEmpty(t, said[0].ContextMap()["why_not_ebpf"])
	require.NotEmpty(t, said[0].ContextMap()["cure"])

	cfg.Source = SourceEBPF
	refused := newScraper(cfg, receivertest.NewNopSettings(metadata.Type))
	err := refused.start(t.Context(), componenttest.NewNopHost())
	require.ErrorContains(t, err, "source ebpf: ")
	require.ErrorContains(t, err, "source: procfs, or auto, reads the proc file system instead")
}

func attr(t *testing.T, attrs pcommon.Map, name string) pcommon.Value {
	t.Helper()
	v, ok := attrs.Get(name)
	require.True(t, ok, name)
	return v
}

// renamed copies a program, so that no other process has its name.
func renamed(t *testing.T, program, name string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	require.NoError(t, err)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(file, content, 0o700))
	return file
}

// Whatever the source and the aggregation, what a child of this test uses shows,
// and the rest of the host is one series.
func TestSeriesAreLimited(t *testing.T) {
	for _, source := range []Source{SourceProcfs, SourceEBPF} {
		for _, aggregation := range []Aggregation{AggregationWorkload, AggregationProcess} {
			t.Run(string(source)+" "+string(aggregation), func(t *testing.T) {
				if source == SourceEBPF && os.Getuid() != 0 {
					t.Skip("needs CAP_BPF and CAP_PERFMON")
				}
				cfg := testConfig("")
				cfg.Source, cfg.Aggregation, cfg.Limit, cfg.Top = source, aggregation, 4, 2
				cfg.Keep.Names = []string{"culprit-sleeps"}
				s, _ := started(t, cfg)
				sleeper := exec.CommandContext(t.Context(), renamed(t, "sleep", "culprit-sleeps"), "60")
				require.NoError(t, sleeper.Start())
				t.Cleanup(func() {
					require.NoError(t, sleeper.Process.Kill())
					require.Error(t, sleeper.Wait())
				})
				scraped(t, s)
				metrics := metricsOf(scraped(t, s))

				one := "rootcause.workload.cpu.time"
				if aggregation == AggregationProcess {
					one = "process.cpu.time"
				}
				require.LessOrEqual(t, points(metrics[one]).Len(), 2*cfg.Limit) // user and system
				others, described := 0, false
				for _, p := range points(metrics["rootcause.workload.process.count"]).All() {
					if attr(t, p.Attributes(), "rootcause.workload.type").Str() == "other" {
						others++
						require.Positive(t, p.IntValue())
					}
				}
				for _, p := range points(metrics["process.uptime"]).All() {
					if attr(t, p.Attributes(), "process.pid").Int() == int64(sleeper.Process.Pid) {
						described = true
						require.Equal(t, "job", attr(t, p.Attributes(), "rootcause.workload.type").Str())
						require.EqualValues(t, os.Geteuid(), attr(t, p.Attributes(), "process.user.id").Int())
					}
				}
				require.Equal(t, 1, others)
				require.True(t, described, "it is kept")
			})
		}
	}
}

func TestExcludedProcessesAreNotCounted(t *testing.T) {
	cfg := testConfig(fixture(t))
	cfg.Exclude.Names = []string{"restic"}
	s, _ := started(t, cfg)
	for _, p := range points(metricsOf(scraped(t, s))["process.uptime"]).All() {
		require.NotEqual(t, "restic", attr(t, p.Attributes(), "process.executable.name").Str())
	}

	cfg.Exclude, cfg.Include.Names = Match{}, []string{"restic"}
	s, _ = started(t, cfg)
	require.Equal(t, 1, points(metricsOf(scraped(t, s))["process.uptime"]).Len())
}

func TestSkippedScrapesAreCounted(t *testing.T) {
	s := newScraper(testConfig(""), receivertest.NewNopSettings(metadata.Type))
	at := time.Unix(1000, 0)
	require.Zero(t, s.skipped(at), "the first")
	for _, step := range []struct {
		gap  time.Duration
		want int64
	}{
		{time.Second, 0},
		{1400 * time.Millisecond, 0},
		{600 * time.Millisecond, 0},
		{2 * time.Second, 1},
		{5 * time.Second, 4},
		{-time.Hour, 0},
	} {
		at = at.Add(step.gap)
		require.Equal(t, step.want, s.skipped(at), step.gap)
	}
}

// Workers that share a server's socket are described once; however many are kept,
// there is a limit, and backups come first.
func TestDescriptionsAreBounded(t *testing.T) {
	described := func(limit int, change func(*process.Process)) []told {
		cfg := testConfig("")
		cfg.Aggregation, cfg.Limit = AggregationWorkload, limit
		c := &census{
			cfg: cfg, book: workload.New(workload.Options{}), watch: watching(t, Match{Names: []string{"kept"}}),
			selection: workload.NewSelection(workload.Limits{Series: limit}), kept: map[*workload.Workload]bool{}, lent: map[int64]int64{},
		}
		for pid := range int64(300) {
			p := named(pid+10, "worker")
			p.Group = 10
			change(p)
			c.snap.Processes = append(c.snap.Processes, p)
		}
		c.account(time.Unix(1000, 0), time.Unix(1000, 0))
		return c.processes
	}
	require.Len(t, described(200, func(p *process.Process) { p.Network.Listening = true }), 1)

	some := described(20, func(p *process.Process) {
		p.Name, p.Group = "kept", p.PID
		if p.PID == 309 {
			p.Name = "restic"
		}
	})
	require.Len(t, some, 20)
	require.Equal(t, "restic", some[0].Name)
}
