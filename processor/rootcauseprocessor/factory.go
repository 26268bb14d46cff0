package rootcauseprocessor

import (
	"context"
	"fmt"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processorhelper"

	"github.com/otel-culprit/culprit/internal/catalog/files"
	"github.com/otel-culprit/culprit/internal/fact"
	"github.com/otel-culprit/culprit/internal/rootcause"
	"github.com/otel-culprit/culprit/processor/rootcauseprocessor/internal/metadata"
)

// engine is what the processor needs of a rootcause.Engine.
type engine interface {
	Step(f fact.Fact) ([]rootcause.Event, error)
	Snapshot() rootcause.Snapshot
	Remember() ([]byte, error)
}

// newEngine makes an engine that has seen nothing.
type newEngine func(p rootcause.Params) (engine, error)

// NewFactory creates the factory of the rootcause processor.
func NewFactory() processor.Factory { return newFactory(shippedEngine) }

func shippedEngine(p rootcause.Params) (engine, error) {
	tools, err := files.Default()
	if err != nil {
		return nil, fmt.Errorf("read the catalogue of backup tools: %w", err)
	}
	return rootcause.New(p, tools), nil
}

// shippedEvidence tells which log records are evidence.
func shippedEvidence() func(fact.Log) string {
	tools, err := files.Default()
	if err != nil {
		return nil // no engine starts without a catalogue, and it says why
	}
	return tools.Evidence
}

func newFactory(create newEngine) processor.Factory {
	s := &sharing{newEngine: create, runtimes: map[*Config]*runtime{}}
	return processor.NewFactory(
		metadata.Type,
		createDefaultConfig,
		processor.WithMetrics(s.createMetrics, metadata.MetricsStability),
		processor.WithTraces(s.createTraces, metadata.TracesStability),
		processor.WithLogs(s.createLogs, metadata.LogsStability),
	)
}

// sharing keeps one runtime for each component ID. A configuration belongs to
// one ID, and all instances of the ID get the same pointer to it.
type sharing struct {
	newEngine newEngine

	mu       sync.Mutex
	runtimes map[*Config]*runtime
}

// acquire gives the runtime of a configuration to one more instance.
func (s *sharing) acquire(set processor.Settings, cfg *Config) (*runtime, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rt, known := s.runtimes[cfg]
	if !known {
		tel, err := metadata.NewTelemetryBuilder(set.TelemetrySettings)
		if err != nil {
			return nil, err
		}
		rt = newRuntime(set, cfg, s.newEngine, tel)
		s.runtimes[cfg] = rt
	}
	rt.instances++
	return rt, nil
}

// release takes a runtime from an instance; without instances it is forgotten.
func (s *sharing) release(rt *runtime) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if rt.instances--; rt.instances == 0 {
		delete(s.runtimes, rt.cfg)
		rt.tel.Shutdown()
	}
}

func (s *sharing) createMetrics(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Metrics) (processor.Metrics, error) {
	i, err := s.instance(set, cfg)
	if err != nil {
		return nil, err
	}
	i.gauges = newOutlet(1, next.ConsumeMetrics, i.rt.gaugesRefused)
	tap := func(ctx context.Context, md pmetric.Metrics) (pmetric.Metrics, error) {
		i.rt.seeMetrics(ctx, md)
		return md, nil
	}
	return processorhelper.NewMetrics(ctx, set, cfg, next, tap, i.options()...)
}

func (s *sharing) createTraces(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Traces) (processor.Traces, error) {
	i, err := s.instance(set, cfg)
	if err != nil {
		return nil, err
	}
	tap := func(ctx context.Context, td ptrace.Traces) (ptrace.Traces, error) {
		i.rt.seeTraces(ctx, td)
		return td, nil
	}
	return processorhelper.NewTraces(ctx, set, cfg, next, tap, i.options()...)
}

func (s *sharing) createLogs(ctx context.Context, set processor.Settings, cfg component.Config, next consumer.Logs) (processor.Logs, error) {
	i, err := s.instance(set, cfg)
	if err != nil {
		return nil, err
	}
	i.events = newOutlet(eventBacklog, next.ConsumeLogs, i.rt.eventsRefused)
	i.rt.joinLogs()
	tap := func(ctx context.Context, ld plog.Logs) (plog.Logs, error) {
		i.rt.seeLogs(ctx, ld)
		return ld, nil
	}
	return processorhelper.NewLogs(ctx, set, cfg, next, tap, i.options()...)
}

func (s *sharing) instance(set processor.Settings, cfg component.Config) (*instance, error) {
	c, ok := cfg.(*Config)
	if !ok {
		return nil, fmt.Errorf("configuration is a %T, not a rootcause one", cfg)
	}
	rt, err := s.acquire(set, c)
	if err != nil {
		return nil, err
	}
	return &instance{rt: rt, release: s.release}, nil
}
