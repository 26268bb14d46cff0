package rootcauseprocessor

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/otel-culprit/culprit/internal/event"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/journal"
	"github.com/otel-culprit/culprit/internal/rootcause"
	"github.com/otel-culprit/culprit/processor/rootcauseprocessor/internal/metadata"
	"github.com/otel-culprit/culprit/processor/rootcauseprocessor/internal/metadatatest"
)

func TestDataPassesUntouched(t *testing.T) {
	r := newRig(t).start(t)
	defer r.shutdown(t)
	md, td, ld := capability("psi"), request("shop", time.Second), mark("deploy")
	md.MarkReadOnly()
	td.MarkReadOnly()
	ld.MarkReadOnly()
	require.NoError(t, r.metrics.ConsumeMetrics(t.Context(), md))
	require.NoError(t, r.traces.ConsumeTraces(t.Context(), td))
	require.NoError(t, r.logs.ConsumeLogs(t.Context(), ld))
	require.Equal(t, []pmetric.Metrics{md}, r.metricsOut.AllMetrics())
	require.Equal(t, []ptrace.Traces{td}, r.tracesOut.AllTraces())
	require.Equal(t, []plog.Logs{ld}, r.logsOut.AllLogs())
	require.False(t, r.metrics.Capabilities().MutatesData)
	require.False(t, r.traces.Capabilities().MutatesData)
	require.False(t, r.logs.Capabilities().MutatesData)
}

func TestErrorsOfThePipelineComeBack(t *testing.T) {
	r := newRig(t)
	failing := consumertest.NewErr(errors.New("no room"))
	r.startInto(t, failing)
	defer r.shutdown(t)
	require.ErrorContains(t, r.logs.ConsumeLogs(t.Context(), mark("deploy")), "no room")
}

// Three pipelines are one engine, and the events of all come out of the logs
// pipeline.
func TestOneEngineForAllPipelines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start(t)
		require.Len(t, r.engines, 1)
		e := r.engines[0]

		require.NoError(t, r.metrics.ConsumeMetrics(t.Context(), capability("psi")))
		require.NoError(t, r.traces.ConsumeTraces(t.Context(), request("shop", time.Second)))
		require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark("deploy")))
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		kinds := map[fact.Kind]int{}
		for _, f := range e.seen() {
			kinds[f.Kind()]++
		}
		require.Equal(t, map[fact.Kind]int{fact.KindCapability: 1, fact.KindLatency: 1, fact.KindMark: 1}, kinds)
		require.Len(t, e.ticks(), 4, "one at the start")
		require.Equal(t, time.Second, e.ticks()[1].At.Sub(e.ticks()[0].At))

		out := events(&r.logsOut)
		require.Len(t, out, 1)
		require.Equal(t, event.NameEpisode, out[0].EventName())
		require.Equal(t, map[string]any{
			"rootcause.episode.id": "deploy", "rootcause.phase": "opened", "service.name": "shop",
			"rootcause.onset": "2000-01-01T00:00:00Z", "rootcause.latency.current": 2.0, "rootcause.latency.baseline": 1.0,
		}, out[0].Attributes().AsRaw())
		require.Equal(t, e.ticks()[1].At, out[0].Timestamp().AsTime())
		r.shutdown(t)
		require.Len(t, r.engines, 1)
	})
}

func TestAnEngineForEachID(t *testing.T) {
	r := newRig(t).start(t)
	other := *r.cfg
	p, err := r.factory.CreateLogs(t.Context(), r.set, &other, consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, p.Start(t.Context(), componenttest.NewNopHost()))
	require.Len(t, r.engines, 2)
	require.NoError(t, p.Shutdown(t.Context()))
	r.shutdown(t)

	// A configuration that was shut down can be used again.
	r.start(t)
	require.Len(t, r.engines, 3)
	r.shutdown(t)
}

func TestTwoLogsPipelines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		var sink consumertest.LogsSink
		second, err := r.factory.CreateLogs(t.Context(), r.set, r.cfg, &sink)
		require.NoError(t, err)
		r.start(t)
		require.NoError(t, second.Start(t.Context(), componenttest.NewNopHost()))
		require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark("one")))
		time.Sleep(2 * time.Second)
		require.NoError(t, second.Shutdown(t.Context()))
		require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark("two")))
		r.shutdown(t)
		require.Len(t, events(&r.logsOut), 2)
		require.Len(t, events(&sink), 1)
	})
}

func TestStartNeedsALogsPipeline(t *testing.T) {
	r := newRig(t)
	p, err := r.factory.CreateMetrics(t.Context(), r.set, r.cfg, consumertest.NewNop())
	require.NoError(t, err)
	err = p.Start(t.Context(), componenttest.NewNopHost())
	require.EqualError(t, err, "it is in no logs pipeline, so its verdicts would go nowhere: "+
		"add it to the processors of the logs pipeline whose exporters are to deliver them")
	require.NoError(t, p.Shutdown(t.Context()))
	require.Empty(t, r.engines)
}

func TestStartTellsWhatFailed(t *testing.T) {
	factory := newFactory(func(rootcause.Params) (engine, error) { return nil, errors.New("no catalogue") })
	p, err := factory.CreateLogs(t.Context(), processortest.NewNopSettings(metadata.Type), factory.CreateDefaultConfig(), consumertest.NewNop())
	require.NoError(t, err)
	require.EqualError(t, p.Start(t.Context(), componenttest.NewNopHost()), "no catalogue")
	require.NoError(t, p.Shutdown(t.Context()))

	r := newRig(t)
	r.cfg.Journal = configoptional.Some(JournalConfig{Path: filepath.Join(t.TempDir(), "none", "journal"), MaxSizeMiB: 1})
	p, err = r.factory.CreateLogs(t.Context(), r.set, r.cfg, consumertest.NewNop())
	require.NoError(t, err)
	err = p.Start(t.Context(), componenttest.NewNopHost())
	require.ErrorContains(t, err, "journal.path: ")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, p.Shutdown(t.Context()))
}

func TestShutdown(t *testing.T) {
	t.Run("without start and twice", func(t *testing.T) {
		r := newRig(t)
		p, err := r.factory.CreateLogs(t.Context(), r.set, r.cfg, consumertest.NewNop())
		require.NoError(t, err)
		require.NoError(t, p.Shutdown(t.Context()))
		require.NoError(t, p.Shutdown(t.Context()))
	})
	t.Run("twice, in any order", func(t *testing.T) {
		r := newRig(t).start(t)
		for _, i := range []int{2, 0, 2, 1, 1, 0} {
			require.NoError(t, r.components()[i].Shutdown(t.Context()))
		}
	})
	t.Run("contract", func(t *testing.T) {
		r := newRig(t)
		keep, err := r.factory.CreateLogs(t.Context(), r.set, r.cfg, consumertest.NewNop())
		require.NoError(t, err)
		processortest.VerifyShutdown(t, r.factory, r.cfg)
		require.NoError(t, keep.Shutdown(t.Context()))
	})
}

// What was seen before the logs instance shuts down is judged and delivered,
// though the next tick is far.
func TestShutdownFlushes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Tick, r.cfg.MetricsInterval = 10*time.Second, 10*time.Second
		r.start(t)
		require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark("deploy")))
		require.NoError(t, r.logs.Shutdown(t.Context()))
		require.Len(t, events(&r.logsOut), 1)
		r.shutdown(t)
	})
}

// blocking is a consumer that never finishes of its own accord.
type blocking struct{ consumertest.Consumer }

func (blocking) ConsumeLogs(ctx context.Context, _ plog.Logs) error {
	<-ctx.Done()
	return ctx.Err()
}

// A pipeline that blocks stops neither the engine nor the other pipelines, and
// holds up the shutdown for the grace only.
func TestBlockedPipeline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tel := componenttest.NewTelemetry()
		r.set = metadatatest.NewSettings(tel)
		r.startInto(t, blocking{consumertest.NewNop()})
		e := r.engines[0]
		for range eventBacklog + 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			require.ErrorIs(t, r.logs.ConsumeLogs(ctx, mark("deploy")), context.DeadlineExceeded)
			cancel()
			time.Sleep(time.Second)
		}
		require.NoError(t, r.metrics.ConsumeMetrics(t.Context(), capability("psi")))
		synctest.Wait()
		require.Len(t, e.seen(), eventBacklog+4)
		begin := time.Now()
		r.shutdown(t)
		require.Equal(t, shutdownGrace, time.Since(begin))
		metadatatest.AssertEqualRootcauseEventsDropped(t, tel, []metricdata.DataPoint[int64]{
			{Value: 2, Attributes: attribute.NewSet(attribute.String("reason", "full"))},
			{Value: eventBacklog + 1, Attributes: attribute.NewSet(attribute.String("reason", "refused"))},
		}, metricdatatest.IgnoreTimestamp())
		require.NoError(t, tel.Shutdown(context.Background()))
	})
}

// An engine that is slow costs facts, and never holds up a pipeline.
func TestQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.QueueSize = 2
		tel := componenttest.NewTelemetry()
		r.set = metadatatest.NewSettings(tel)
		pause := make(chan struct{})
		r.prepare = func(e *fakeEngine) { e.pause = pause }
		r.start(t)
		require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark("0")))
		synctest.Wait() // it is with the engine now
		for _, name := range []string{"1", "2", "3", "4"} {
			require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark(name)))
		}
		close(pause)
		synctest.Wait()
		var names []string
		for _, f := range r.engines[0].seen() {
			m, ok := f.(fact.Mark)
			require.True(t, ok)
			names = append(names, m.Name)
		}
		require.Equal(t, []string{"0", "1", "2"}, names)
		r.shutdown(t)
		metadatatest.AssertEqualRootcauseFactsDropped(t, tel, []metricdata.DataPoint[int64]{{Value: 2}}, metricdatatest.IgnoreTimestamp())
		require.NoError(t, tel.Shutdown(context.Background()))
	})
}

func TestOwnTelemetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		tel := componenttest.NewTelemetry()
		r.set = metadatatest.NewSettings(tel)
		r.start(t)
		e := r.engines[0]
		require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark("deploy")))
		require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark("")))
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		e.mu.Lock()
		e.refuse = errors.New("too many")
		e.mu.Unlock()
		require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark("deploy")))
		time.Sleep(time.Second)
		r.shutdown(t)
		point := func(n int64, pairs ...attribute.KeyValue) []metricdata.DataPoint[int64] {
			return []metricdata.DataPoint[int64]{{Value: n, Attributes: attribute.NewSet(pairs...)}}
		}
		ignore := metricdatatest.IgnoreTimestamp()
		metadatatest.AssertEqualRootcauseFacts(t, tel, append(
			point(1, attribute.String("kind", "mark")), point(4, attribute.String("kind", "tick"))...), ignore)
		metadatatest.AssertEqualRootcauseFactsRefused(t, tel, point(1, attribute.String("kind", "mark")), ignore)
		metadatatest.AssertEqualRootcauseItemsSkipped(t, tel, point(1, attribute.String("reason", "missing_attribute")), ignore)
		metadatatest.AssertEqualRootcauseEvents(t, tel,
			point(1, attribute.String("event", event.NameEpisode), attribute.String("phase", "opened")), ignore)
		require.NoError(t, tel.Shutdown(context.Background()))
	})
}

// The journal has what the engine saw, in its order.
func TestJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Journal = configoptional.Some(JournalConfig{Path: path, MaxSizeMiB: 1})
		r.start(t)
		for i := range 5 {
			require.NoError(t, r.metrics.ConsumeMetrics(t.Context(), capability(string(rune('a'+i)))))
			require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark("deploy")))
			time.Sleep(700 * time.Millisecond)
		}
		r.shutdown(t)
		var recorded []fact.Fact
		for f, err := range journal.Open(path) {
			require.NoError(t, err)
			recorded = append(recorded, f)
		}
		require.Len(t, r.engines[0].ticks(), 5)
		require.Equal(t, r.engines[0].facts, recorded)
	})
}

func TestGaugesAreEmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.prepare = func(e *fakeEngine) {
			e.snapshot = rootcause.Snapshot{Victims: []rootcause.VictimView{{Victim: rootcause.Victim{Service: "shop"}, Latency: 0.5}}}
		}
		r.start(t)
		time.Sleep(11500 * time.Millisecond)
		synctest.Wait()
		require.Len(t, r.metricsOut.AllMetrics(), 3, "at the first tick and every 5 s")
		r.shutdown(t)
	})
}

// The engine is told the time before anything else, then what the configuration
// says of the services and of what hosts share, and that again every minute.
func TestServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Services = []ServiceConfig{{Name: "shop", Processes: []string{"nginx", "php-fpm.service"}}, {Name: "blog", Processes: []string{"hugo"}}}
		r.cfg.Objectives = []ObjectiveConfig{{Service: "shop", Latency: 300 * time.Millisecond}, {Service: "api", Latency: time.Second}}
		r.cfg.Shared = []SharedConfig{{Name: "nas", Resource: "disk", Hosts: []string{"web1", "db1"}}}
		begin := time.Now().UTC()
		r.start(t)
		require.NoError(t, r.logs.ConsumeLogs(t.Context(), mark("deploy")))
		told := func(at time.Time) []fact.Fact {
			return []fact.Fact{
				fact.Service{At: at, Name: "api", Objective: 1},
				fact.Service{At: at, Name: "blog", Processes: []string{"hugo"}},
				fact.Service{At: at, Name: "shop", Processes: []string{"nginx", "php-fpm.service"}, Objective: 0.3},
				fact.Shared{At: at, Name: "nas", Resource: "disk", Hosts: []string{"web1", "db1"}},
			}
		}
		services := func() (all []fact.Fact) {
			for _, f := range r.engines[0].seen() {
				if f.Kind() == fact.KindService || f.Kind() == fact.KindShared {
					all = append(all, f)
				}
			}
			return all
		}
		time.Sleep(59500 * time.Millisecond)
		synctest.Wait()
		require.Equal(t, append([]fact.Fact{fact.Tick{At: begin}}, told(begin)...), r.engines[0].facts[:5])
		require.Equal(t, told(begin), services())
		time.Sleep(time.Second)
		synctest.Wait()
		require.Equal(t, append(told(begin), told(begin.Add(time.Minute))...), services())
		r.shutdown(t)
	})
}

// A metrics pipeline that is busy misses gauges, which is counted, but not that a
// series ended.
func TestBusyPipelineLearnsThatSeriesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := rootcause.Snapshot{Victims: []rootcause.VictimView{{
			Victim: rootcause.Victim{Service: "shop"}, Latency: math.NaN(), Baseline: math.NaN(), Upper: math.NaN(),
		}}}
		tel := componenttest.NewTelemetry()
		defer func() { require.NoError(t, tel.Shutdown(context.Background())) }()
		rt := newEmptyRuntime(t, tel)
		gate := make(chan error)
		var got []pmetric.Metrics
		o := newOutlet(1, func(_ context.Context, md pmetric.Metrics) error {
			got = append(got, md)
			return <-gate
		}, rt.gaugesRefused)
		rt.attach(nil, o)
		expose := func(s rootcause.Snapshot) {
			rt.engine = &fakeEngine{snapshot: s}
			rt.expose(t.Context(), wallClock())
			synctest.Wait()
		}
		expose(shop)                 // is with the pipeline
		expose(shop)                 // waits
		expose(rootcause.Snapshot{}) // has no room
		gate <- nil
		gate <- errors.New("no")
		expose(rootcause.Snapshot{})
		gate <- nil
		expose(rootcause.Snapshot{})
		rt.detach(t.Context(), nil, o)
		require.Len(t, got, 3)
		require.Equal(t, []map[string]any{{"service.name": "shop", "value": nil}}, shown(got[2])["rootcause.episode.active"])
		metadatatest.AssertEqualRootcauseGaugesDropped(t, tel, []metricdata.DataPoint[int64]{
			{Value: 3, Attributes: attribute.NewSet(attribute.String("reason", "full"))},
			{Value: 3, Attributes: attribute.NewSet(attribute.String("reason", "refused"))},
		}, metricdatatest.IgnoreTimestamp())
	})
}

// newEmptyRuntime makes a runtime without an engine.
func newEmptyRuntime(t *testing.T, tel *componenttest.Telemetry) *runtime {
	t.Helper()
	set := metadatatest.NewSettings(tel)
	builder, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
	require.NoError(t, err)
	cfg, ok := createDefaultConfig().(*Config)
	require.True(t, ok)
	return newRuntime(set, cfg, nil, builder)
}

var _ consumer.Logs = blocking{}

// A run that begins forgets what was told before it.
func TestServicesAreToldAfterTheRunBegan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Services = []ServiceConfig{{Name: "shop", Processes: []string{"nginx"}}}
		r.cfg.Journal = configoptional.Some(JournalConfig{Path: path, MaxSizeMiB: 1})
		r.start(t)
		time.Sleep(2 * time.Second)
		r.shutdown(t)
	})
	var kinds []fact.Kind
	for f, err := range journal.Open(path) {
		require.NoError(t, err)
		kinds = append(kinds, f.Kind())
	}
	require.GreaterOrEqual(t, len(kinds), 3)
	require.Equal(t, []fact.Kind{fact.KindTick, fact.KindRecalled, fact.KindService}, kinds[:3])
}
