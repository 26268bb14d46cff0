package rootcauseprocessor

import (
	"context"
	"iter"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otel-culprit/culprit/internal/catalog/files"
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

// A replay of the journal says what the live run said, though it knows nothing of
// the configuration.
func TestReplaySaysTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	var live []told
	synctest.Test(t, func(t *testing.T) {
		factory := NewFactory()
		cfg, ok := factory.CreateDefaultConfig().(*Config)
		require.True(t, ok)
		cfg.Services = []ServiceConfig{{Name: "shop", Processes: []string{"shop"}}}
		cfg.Objectives = []ObjectiveConfig{{Service: "shop", Latency: 300 * time.Millisecond}}
		cfg.Journal = configoptional.Some(JournalConfig{Path: path, MaxSizeMiB: 64})
		set := processortest.NewNopSettings(metadata.Type)
		var logs consumertest.LogsSink
		m, err := factory.CreateMetrics(t.Context(), set, cfg, consumertest.NewNop())
		require.NoError(t, err)
		l, err := factory.CreateLogs(t.Context(), set, cfg, &logs)
		require.NoError(t, err)
		for _, c := range []component.Component{m, l} {
			require.NoError(t, c.Start(t.Context(), componenttest.NewNopHost()))
		}
		s := &site{begin: time.Now(), backup: 400, hidden: true}
		for n := 1; n < 460; n++ {
			time.Sleep(time.Second)
			require.NoError(t, m.ConsumeMetrics(t.Context(), s.second(n)))
		}
		require.NoError(t, m.Shutdown(context.Background()))
		require.NoError(t, l.Shutdown(context.Background()))
		live = tellings(events(&logs))
	})
	require.NotEmpty(t, live)
	require.Equal(t, live, replayed(t, journal.Open(path)))
	require.NotEqual(t, live, replayed(t, withoutServices(journal.Open(path))), "what is said of the services matters")
}
