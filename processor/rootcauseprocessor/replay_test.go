package rootcauseprocessor

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/cli"
	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/journal"
	"github.com/otel-culprit/culprit/internal/params"
	"github.com/otel-culprit/culprit/internal/rootcause"
	"github.com/otel-culprit/culprit/processor/rootcauseprocessor/internal/metadata"
)

// told is what a reader sees of an event.
type told struct {
	At         time.Time
	Name, Body string
	Attributes map[string]any
}

func tellings(records []plog.LogRecord) []told {
	var all []told
	for _, r := range records {
		all = append(all, told{r.Timestamp().AsTime(), r.EventName(), r.Body().Str(), r.Attributes().AsRaw()})
	}
	return all
}

// replayed gives the events of an engine with the shipped numbers.
func replayed(t *testing.T, facts iter.Seq2[fact.Fact, error]) []told {
	t.Helper()
	tools, err := files.Default()
	require.NoError(t, err)
	var sink consumertest.LogsSink
	for e, err := range rootcause.Replay(rootcause.New(params.Default(), tools), facts) {
		require.NoError(t, err)
		require.NoError(t, sink.ConsumeLogs(t.Context(), newLogs([]rootcause.Event{e})))
	}
	return tellings(events(&sink))
}

func withoutServices(facts iter.Seq2[fact.Fact, error]) iter.Seq2[fact.Fact, error] {
	return func(yield func(fact.Fact, error) bool) {
		for f, err := range facts {
			if err == nil && f.Kind() == fact.KindService {
				continue
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

// listening is a shipped engine whose events are written down as it gives them.
type listening struct {
	engine

	said   bytes.Buffer
	failed error
}

func (l *listening) Step(f fact.Fact) ([]rootcause.Event, error) {
	list, refused := l.engine.Step(f)
	for _, e := range list {
		l.failed = errors.Join(l.failed, cli.WriteEvent(&l.said, e))
	}
	return list, refused
}

// live is a processor with the shipped engine that keeps a journal.
type live struct {
	cfg     *Config
	engine  *listening
	metrics processor.Metrics
	logs    processor.Logs
	sink    consumertest.LogsSink
}

func startLive(t *testing.T, path string, change func(*Config)) *live {
	t.Helper()
	l := &live{}
	factory := newFactory(func(p rootcause.Params) (engine, error) {
		shipped, err := shippedEngine(p)
		l.engine = &listening{engine: shipped}
		return l.engine, err
	})
	cfg, ok := factory.CreateDefaultConfig().(*Config)
	require.True(t, ok)
	cfg.Journal = configoptional.Some(JournalConfig{Path: path, MaxSizeMiB: 64})
	change(cfg)
	l.cfg = cfg
	set := processortest.NewNopSettings(metadata.Type)
	var err error
	l.metrics, err = factory.CreateMetrics(t.Context(), set, cfg, consumertest.NewNop())
	require.NoError(t, err)
	l.logs, err = factory.CreateLogs(t.Context(), set, cfg, &l.sink)
	require.NoError(t, err)
	for _, c := range []component.Component{l.metrics, l.logs} {
		require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
	}
	return l
}

func (l *live) stop(t *testing.T) {
	t.Helper()
	for _, c := range []component.Component{l.metrics, l.logs} {
		require.NoError(t, c.Shutdown(context.Background()))
	}
	require.NoError(t, l.engine.failed)
}

// replay runs the command as a person does.
func replay(t *testing.T, args ...string) (out, complaints string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	require.Zero(t, cli.Main(append([]string{"replay", "--json"}, args...), nil, &stdout, &stderr), stderr.String())
	return stdout.String(), stderr.String()
}

// A replay of the journal says what the live run said, though it knows nothing of
// the configuration.
func TestReplaySaysTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	var l *live
	synctest.Test(t, func(t *testing.T) {
		l = startLive(t, path, func(cfg *Config) {
			cfg.Services = []ServiceConfig{{Name: "shop", Processes: []string{"shop"}}}
			cfg.Objectives = []ObjectiveConfig{{Service: "shop", Latency: 300 * time.Millisecond}}
		})
		s := &site{begin: time.Now(), backup: 400, hidden: true}
		for n := 1; n < 460; n++ {
			time.Sleep(time.Second)
			require.NoError(t, l.metrics.ConsumeMetrics(t.Context(), s.second(n)))
		}
		l.stop(t)
	})
	said := tellings(events(&l.sink))
	require.NotEmpty(t, said)
	require.Equal(t, said, replayed(t, journal.Open(path)))
	require.NotEqual(t, said, replayed(t, withoutServices(journal.Open(path))), "what is said of the services matters")

	out, complaints := replay(t, path)
	require.Equal(t, l.engine.said.String(), out, "byte for byte")
	require.NotContains(t, complaints, "parameters")
}

// The same with the clock of the machine, and with goroutines that run when they
// like. The past comes in a burst, so that there is something usual.
func TestReplayOfRealTimeIsTheSameByteForByte(t *testing.T) {
	dir := t.TempDir()
	path, numbers := filepath.Join(dir, "journal"), filepath.Join(dir, "params.yaml")
	require.NoError(t, os.WriteFile(numbers, []byte("verdict: {settle_for: 1, tell_within: 2}\nweights: {shift: 1.75}\n"), 0o600))
	l := startLive(t, path, func(cfg *Config) { cfg.Params, cfg.Tick = numbers, minTick })
	const past = 430
	s := &site{begin: time.Now().Add(-past * time.Second), backup: 400}
	for n := 1; n < past; n++ {
		require.NoError(t, l.metrics.ConsumeMetrics(t.Context(), s.second(n)))
	}
	told := func() bool {
		return slices.ContainsFunc(events(&l.sink), func(r plog.LogRecord) bool { return r.EventName() == event.NameVerdict })
	}
	for n := past; !told(); n++ {
		require.Less(t, n, past+30, "no verdict was told")
		require.NoError(t, l.metrics.ConsumeMetrics(t.Context(), s.second(n)))
		time.Sleep(time.Until(s.begin.Add(time.Duration(n+1) * time.Second)))
	}
	l.stop(t)

	out, complaints := replay(t, path, "--params", numbers)
	require.NotEmpty(t, out)
	require.Equal(t, l.engine.said.String(), out, "byte for byte")
	require.NotContains(t, complaints, "parameters")

	other, complaints := replay(t, path)
	require.NotEqual(t, out, other, "the parameters matter")
	require.Contains(t, complaints, "culprit: the live run had other parameters (")
	require.Contains(t, complaints, numbers+"): name their file with --params")
}

func TestParamsMustBeReadable(t *testing.T) {
	dir := t.TempDir()
	wrong := filepath.Join(dir, "params.yaml")
	require.NoError(t, os.WriteFile(wrong, []byte("weights:\n  shft: 2\n"), 0o600))
	for path, want := range map[string]string{
		wrong:                      "params: " + wrong + ": line 2: weights.shft is no term that the engine weighs: did you mean shift?",
		filepath.Join(dir, "none"): "params: open " + filepath.Join(dir, "none") + ": no such file",
	} {
		r := newRig(t)
		r.cfg.Params = path
		l, err := r.factory.CreateLogs(t.Context(), r.set, r.cfg, &r.logsOut)
		require.NoError(t, err)
		require.ErrorContains(t, l.Start(t.Context(), componenttest.NewNopHost()), want)
		require.NoError(t, l.Shutdown(context.Background()))
	}
}
