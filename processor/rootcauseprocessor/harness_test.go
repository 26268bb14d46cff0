package rootcauseprocessor

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
	"github.com/otel-culprit/culprit/processor/rootcauseprocessor/internal/metadata"
)

// fakeEngine opens an episode at the next tick after each mark.
type fakeEngine struct {
	mu       sync.Mutex
	facts    []fact.Fact
	marks    []fact.Mark
	learned  int // marks
	snapshot rootcause.Snapshot
	refuse   error
	pause    chan struct{} // if not nil, each fact but a tick waits for an element
}

func (e *fakeEngine) Step(f fact.Fact) ([]rootcause.Event, error) {
	if e.pause != nil && f.Kind() != fact.KindTick {
		<-e.pause
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.facts = append(e.facts, f)
	switch f := f.(type) {
	case fact.Mark:
		if e.refuse != nil {
			return nil, e.refuse
		}
		e.marks = append(e.marks, f)
		e.learned++
	case fact.Tick:
		var events []rootcause.Event
		for _, m := range e.marks {
			events = append(events, rootcause.Episode{
				ID: m.Name, Phase: rootcause.Opened, At: f.At, Victim: rootcause.Victim{Service: "shop"}, Onset: m.At, Latency: 2, Baseline: 1,
			})
		}
		e.marks = nil
		return events, nil
	}
	return nil, nil
}

func (e *fakeEngine) Snapshot() rootcause.Snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.snapshot
}

// Remember tells how many marks were seen.
func (e *fakeEngine) Remember() ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return fmt.Appendf(nil, `{"marks":%d}`, e.learned), nil
}

// seen gives the facts so far, without ticks.
func (e *fakeEngine) seen() []fact.Fact {
	e.mu.Lock()
	defer e.mu.Unlock()
	var facts []fact.Fact
	for _, f := range e.facts {
		if f.Kind() != fact.KindTick {
			facts = append(facts, f)
		}
	}
	return facts
}

func (e *fakeEngine) ticks() []fact.Tick {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ticks []fact.Tick
	for _, f := range e.facts {
		if tick, ok := f.(fact.Tick); ok {
			ticks = append(ticks, tick)
		}
	}
	return ticks
}

// rig is a processor in a pipeline of each signal.
type rig struct {
	factory processor.Factory
	cfg     *Config
	set     processor.Settings
	engines []*fakeEngine
	prepare func(*fakeEngine)
	host    component.Host

	metricsOut consumertest.MetricsSink
	tracesOut  consumertest.TracesSink
	logsOut    consumertest.LogsSink
	metrics    processor.Metrics
	traces     processor.Traces
	logs       processor.Logs
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{prepare: func(*fakeEngine) {}, host: componenttest.NewNopHost(), set: processortest.NewNopSettings(metadata.Type)}
	r.factory = newFactory(func(rootcause.Params) (engine, error) {
		e := &fakeEngine{}
		r.prepare(e)
		r.engines = append(r.engines, e)
		return e, nil
	})
	cfg, ok := r.factory.CreateDefaultConfig().(*Config)
	require.True(t, ok)
	r.cfg = cfg
	return r
}

// start makes and starts the instances of the three pipelines.
func (r *rig) start(t *testing.T) *rig {
	t.Helper()
	return r.startInto(t, &r.logsOut)
}

func (r *rig) startInto(t *testing.T, logs consumer.Logs) *rig {
	t.Helper()
	require.NoError(t, r.cfg.Validate())
	ctx := t.Context()
	var err error
	r.metrics, err = r.factory.CreateMetrics(ctx, r.set, r.cfg, &r.metricsOut)
	require.NoError(t, err)
	r.traces, err = r.factory.CreateTraces(ctx, r.set, r.cfg, &r.tracesOut)
	require.NoError(t, err)
	r.logs, err = r.factory.CreateLogs(ctx, r.set, r.cfg, logs)
	require.NoError(t, err)
	for _, c := range r.components() {
		require.NoError(t, c.Start(ctx, r.host))
	}
	return r
}

func (r *rig) components() []component.Component {
	return []component.Component{r.metrics, r.traces, r.logs}
}

func (r *rig) shutdown(t *testing.T) {
	t.Helper()
	for _, c := range r.components() {
		require.NoError(t, c.Shutdown(context.Background()))
	}
}

// mark is a log record that becomes a fact.Mark.
func mark(name string) plog.Logs {
	ld := plog.NewLogs()
	record := ld.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetEventName("rootcause.mark")
	record.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	record.Attributes().PutStr("rootcause.mark.name", name)
	return ld
}

// capability is a gauge that becomes a fact.Capability.
func capability(name string) pmetric.Metrics {
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("rootcause.host.capability")
	dp := m.SetEmptyGauge().DataPoints().AppendEmpty()
	dp.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	dp.SetDoubleValue(1)
	dp.Attributes().PutStr("rootcause.capability", name)
	return md
}

// request is a server span.
func request(service string, took time.Duration) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", service)
	span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetKind(ptrace.SpanKindServer)
	span.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now().Add(-took)))
	span.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	return td
}

// events gives the log records with an event name that passed a sink.
func events(sink *consumertest.LogsSink) []plog.LogRecord {
	var records []plog.LogRecord
	for _, ld := range sink.AllLogs() {
		for _, rl := range ld.ResourceLogs().All() {
			for _, sl := range rl.ScopeLogs().All() {
				for _, r := range sl.LogRecords().All() {
					if r.EventName() != "" && r.EventName() != "rootcause.mark" {
						records = append(records, r)
					}
				}
			}
		}
	}
	return records
}
